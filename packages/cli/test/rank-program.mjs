// Stands in for the command line where only its processes matter: rank-program.mjs WHAT-RANK-0-DOES WHAT-RANK-1-DOES.
import { existsSync, writeFileSync } from "node:fs";
import { join } from "node:path";

const { rank, folder } = JSON.parse(process.env.BASIC_MLLM_RANK);
const what = process.argv[2 + rank];
const isHere = (other) => existsSync(join(folder, `here-${other}`));
const say = (value) => process.stdout.write(`${JSON.stringify(value)}\n`);
const wait = (ms) => new Promise((resolve) => setTimeout(resolve, ms));

process.on("message", (message) => {
  if (what === "hears")
    process.stderr.write(`rank ${rank} heard ${JSON.stringify(message)}\n`, () => process.exit(1));
});
process.on("SIGINT", () => {
  process.stderr.write(`rank ${rank} stops\n`, () => process.exit(130));
});
writeFileSync(join(folder, `here-${rank}`), "");
while (!isHere(1 - rank)) await wait(10);
if (what === "ends")
  say({ device: process.env.BASIC_MLLM_CUDA_DEVICE, json: process.argv.includes("--json") });
if (what === "fails")
  say({ error: { code: "E_DEVICE_MEMORY", message: "There is no memory. [E_DEVICE_MEMORY]" } });
if (what === "crashes") process.stderr.write("a last word\n");
if (what === "dies") process.kill(process.pid, "SIGKILL");
if (what === "waits") process.stderr.write(`rank ${rank} waits\n`);
if (what === "ends" || what === "fails" || what === "crashes") process.exit(what === "ends" ? 0 : 3);
await wait(60_000);
