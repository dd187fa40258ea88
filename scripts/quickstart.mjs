// npm run quickstart: the main job from a fresh clone. Installs, builds, trains, evaluates, writes the report.
// Arguments go to the command line tool, for example `npm run quickstart -- --seed 1 --json`.
import { buildNative, buildTool, install, run } from "./steps.mjs";

const json = process.argv.includes("--json");
const output = json ? "stderr" : "inherit";
// The kernels need no npm package: they compile while npm waits for its downloads.
await Promise.all([install(output), buildNative(output)]);
await buildTool(output);
process.exitCode = await run(process.execPath, [
  "packages/cli/bin.mjs",
  "train",
  "quickstart",
  ...process.argv.slice(2),
]);
