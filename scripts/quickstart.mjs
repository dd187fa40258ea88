// npm run quickstart: the main job from a fresh clone. Installs, builds, trains, evaluates, writes the report.
// Arguments go to the command line tool, for example `npm run quickstart -- --seed 1 --json`.
import { buildNative, buildTool, install, run } from "./steps.mjs";

const json = process.argv.includes("--json");
const output = json ? "stderr" : "inherit";

/** The command line tool, and the pictures that the recipe trains on. */
async function prepare() {
  await install(output);
  await buildTool(output);
  const build = ["packages/cli/bin.mjs", "data", "build", "quickstart"];
  if ((await run(process.execPath, build, { output })) !== 0)
    throw new Error("the pictures could not be built");
}

// Compiling the kernels takes longest, and nothing needs them before training does.
await Promise.all([prepare(), buildNative(output)]);
process.exitCode = await run(process.execPath, [
  "packages/cli/bin.mjs",
  "train",
  "quickstart",
  ...process.argv.slice(2),
]);
