// Lints and unit tests of the native kernels.
import { run } from "./steps.mjs";

const cwd = new URL("../packages/backend-cpu/native", import.meta.url).pathname;
const clippy = await run(
  "cargo",
  ["clippy", "--release", "--all-targets", "--quiet", "--", "-D", "warnings"],
  { cwd },
);
const tests = clippy === 0 ? await run("cargo", ["test", "--release", "--quiet"], { cwd }) : 1;
process.exitCode = clippy === 0 && tests === 0 ? 0 : 1;
