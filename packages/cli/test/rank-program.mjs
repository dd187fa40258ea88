// Stands in for the command line where only its processes matter.
import { existsSync, writeFileSync } from "node:fs";
import { join } from "node:path";

const { rank, folder } = JSON.parse(process.env.BASIC_MLLM_RANK);
const words = process.argv.slice(process.argv.indexOf("--") + 1);
const what = words[rank];
const leave = (name) => writeFileSync(join(folder, name), "");
const meet = async (name) => {
  while (!existsSync(join(folder, name))) await wait(10);
};
const say = (value) => process.stdout.write(`${JSON.stringify(value)}\n`);
const wait = (ms) => new Promise((resolve) => setTimeout(resolve, ms));

process.on("message", (message) => {
  if (what === "hears")
    process.stderr.write(`rank ${rank} heard ${JSON.stringify(message)}\n`, () => process.exit(1));
});
process.on("SIGINT", () => {
  if (what === "ignores") return;
  process.stderr.write(`rank ${rank} stops\n`, () => process.exit(130));
});
leave(`here-${rank}`);
await meet(`here-${1 - rank}`);
if (what === "ends")
  say({ device: process.env.BASIC_MLLM_CUDA_DEVICE, json: process.argv.includes("--json") });
if (what === "fails")
  say({ error: { code: "E_DEVICE_MEMORY", message: "There is no memory. [E_DEVICE_MEMORY]" } });
if (what === "saves" || what === "saves-late") {
  if (what === "saves-late") await wait(500);
  process.send("trained", undefined, undefined, () => leave("trained"));
  // Longer than the others have to stop.
  await wait(3000);
  process.stderr.write(`rank ${rank} saved\n`, () => process.exit(0));
}
if (what === "fails-late") {
  await meet("trained");
  await wait(200);
  process.exit(3);
}
if (what === "tells") process.stderr.write(`${process.argv.slice(2).join(" ")}\n`, () => process.exit(3));
if (what === "crashes") process.stderr.write("a last word\n");
if (what === "dies") process.kill(process.pid, "SIGKILL");
if (what === "is-ended") process.kill(process.pid, "SIGTERM");
if (what === "waits" || what === "ignores") process.stderr.write(`rank ${rank} waits\n`);
if (what === "ends" || what === "fails" || what === "crashes") process.exit(what === "ends" ? 0 : 3);
await wait(60_000);
