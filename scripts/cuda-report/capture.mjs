// Runs a program, shows what it says, and keeps it.
import { spawn } from "node:child_process";

import { root } from "../steps.mjs";

/** Exit code, standard output and everything that was said. A program that is missing has the code 127. */
export function capture(command, args, { env = {}, quiet = false } = {}) {
  return new Promise((resolve) => {
    const child = spawn(command, args, {
      cwd: root,
      stdio: ["ignore", "pipe", "pipe"],
      env: { ...process.env, ...env },
    });
    let [out, all] = ["", ""];
    const keep = (piece, isOut) => {
      const text = piece.toString();
      if (isOut) out += text;
      all += text;
      if (!quiet) process.stderr.write(text);
    };
    child.stdout.on("data", (piece) => keep(piece, true));
    child.stderr.on("data", (piece) => keep(piece, false));
    child.once("error", (error) => resolve({ code: 127, out, all: error.message }));
    child.once("close", (code) => resolve({ code: code ?? 1, out, all }));
  });
}
