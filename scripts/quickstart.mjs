// npm run quickstart: the main job from a fresh clone. Installs, builds, trains, evaluates, writes the report.
// Arguments go to the command line tool, for example `npm run quickstart -- --seed 1 --json`.
import { buildTool, install, run } from "./steps.mjs";

const json = process.argv.includes("--json");
const output = json ? "stderr" : "inherit";
await install(output);
await buildTool(output);
process.exitCode = await run(process.execPath, [
  "packages/cli/bin.mjs",
  "train",
  "quickstart",
  ...process.argv.slice(2),
]);
