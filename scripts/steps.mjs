// What several commands share: install and build once, run a child process, count tests. Node built-ins only,
// because these run before `npm ci` has.
import { spawn } from "node:child_process";
import { createHash } from "node:crypto";
import { existsSync, mkdirSync, readFileSync, writeFileSync } from "node:fs";
import { dirname, join } from "node:path";
import { fileURLToPath } from "node:url";

export const root = join(dirname(fileURLToPath(import.meta.url)), "..");

/** Runs a command in the repository root; its output goes to `output` (default: this terminal). */
export function run(command, args, { env = {}, cwd = root, output = "inherit" } = {}) {
  return new Promise((resolve, reject) => {
    const stdio = output === "stderr" ? ["ignore", 2, 2] : ["ignore", output, output];
    const child = spawn(command, args, { cwd, stdio, env: { ...process.env, ...env } });
    child.on("error", reject);
    child.on("close", (code, signal) => resolve(signal === null ? code : 1));
  });
}

/** `npm ci`, unless node_modules is already what package-lock.json says. */
export async function install(output = "inherit") {
  const lock = createHash("sha256")
    .update(readFileSync(join(root, "package-lock.json")))
    .digest("hex");
  const stamp = join(root, "node_modules", ".basic-mllm-lock");
  if (existsSync(stamp) && readFileSync(stamp, "utf8") === lock) return;
  if (existsSync(join(root, "node_modules", "turbo")) && !existsSync(stamp)) {
    writeFileSync(stamp, lock);
    return;
  }
  if ((await run("npm", ["ci"], { output })) !== 0) throw new Error("npm ci failed");
  mkdirSync(dirname(stamp), { recursive: true });
  writeFileSync(stamp, lock);
}

/** Builds every package; turbo skips what is built already. */
export async function build(output = "inherit") {
  const code = await run("npx", ["turbo", "run", "build", "--output-logs=errors-only"], { output });
  if (code !== 0) throw new Error("the build failed; its errors are above");
}

/** Builds the native kernels only: the tests read the TypeScript sources. */
export async function buildNative(output = "inherit") {
  const code = await run(process.execPath, ["packages/backend-cpu/scripts/build-native.mjs"], { output });
  if (code !== 0) throw new Error("the native build failed; its errors are above");
}

/** Runs vitest and counts its tests. */
export async function vitest(args, { env = {} } = {}) {
  const file = join(root, "node_modules", ".cache", `vitest-${process.pid}.json`);
  mkdirSync(dirname(file), { recursive: true });
  const report = ["--reporter=default", "--reporter=json", `--outputFile.json=${file}`];
  const code = await run("npx", ["vitest", "run", ...report, ...args], { env });
  const { numPassedTests, numFailedTests, numFailedTestSuites } = JSON.parse(readFileSync(file, "utf8"));
  const failed = numFailedTests === 0 && code !== 0 ? Math.max(1, numFailedTestSuites) : numFailedTests;
  return { passed: numPassedTests, failed };
}

/** Prints the closing line that other tools read, and sets the exit code. */
export function finish({ passed, failed }) {
  process.stdout.write(`\n${passed} passed, ${failed} failed\n`);
  process.exitCode = failed === 0 && passed > 0 ? 0 : 1;
}
