// Starts a program of this folder on ranks, as the command line starts itself: launch-ranks.mjs PROGRAM DEVICES COMMAND...
// With the word `cannot-start` the second process is one that the system does not know.
import { fileURLToPath } from "node:url";

import { launchRanks } from "../src/session/launch-ranks.ts";

const [name, list, ...command] = process.argv.slice(2);
const program = fileURLToPath(new URL(name, import.meta.url));
const devices = list.split(",").map(Number);
if (command.includes("cannot-start")) {
  const programs = [process.execPath, "/nowhere/node"];
  Object.defineProperty(process, "execPath", { get: () => programs.shift() });
}
try {
  process.exitCode = await launchRanks({
    program,
    command,
    devices,
    graceMs: name === "rank-program.mjs" ? 2000 : 15_000,
  });
} catch (error) {
  process.stderr.write(`thrown: ${error.message}\n`);
  process.exitCode = 99;
}
