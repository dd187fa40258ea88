// Runs the command line in a process of its own, from the sources.
import { type ChildProcess, spawn } from "node:child_process";
import { fileURLToPath } from "node:url";

/** The command, as a source. */
export const BIN = fileURLToPath(new URL("../src/bin.ts", import.meta.url));
const REGISTER = new URL("./register-typescript.mjs", import.meta.url).href;

/** A running `basic-mllm`. */
export interface CliChild {
  readonly process: ChildProcess;
  /** stdout and stderr so far. */
  output(): string;
  /** Exit code, or the signal that ended it. */
  readonly ended: Promise<number | string>;
}

/** What node is called with, before our own arguments. */
export const NODE_ARGUMENTS = ["--conditions=@basic-mllm/source", "--import", REGISTER] as const;

/** Starts `basic-mllm ...argv` in a process group of its own, as a terminal does. @param env - Added to this process's. */
export function startCli(argv: readonly string[], env: Readonly<Record<string, string>> = {}): CliChild {
  return startProgram([BIN, ...argv], env);
}

/** Starts another program of these sources. */
export function startProgram(argv: readonly string[], env: Readonly<Record<string, string>> = {}): CliChild {
  const child = spawn(process.execPath, [...NODE_ARGUMENTS, ...argv], {
    stdio: ["ignore", "pipe", "pipe"],
    detached: true,
    env: { ...process.env, ...env },
  });
  let text = "";
  for (const stream of [child.stdout, child.stderr]) {
    stream.on("data", (piece: Buffer) => {
      text += piece.toString();
    });
  }
  const ended = new Promise<number | string>((resolve, reject) => {
    child.once("error", reject);
    child.once("close", (code, signal) => resolve(code ?? signal ?? "unknown"));
  });
  return { process: child, output: () => text, ended };
}
