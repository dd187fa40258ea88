// Starts rank-program.mjs on two ranks, as the command line starts itself.
import { fileURLToPath } from "node:url";

import { launchRanks } from "../src/session/launch-ranks.ts";

const program = fileURLToPath(new URL("rank-program.mjs", import.meta.url));
try {
  const graceMs = 2000;
  process.exitCode = await launchRanks({ program, command: process.argv.slice(2), devices: [4, 7], graceMs });
} catch (error) {
  process.stderr.write(`thrown: ${error.message}\n`);
  process.exitCode = 99;
}
