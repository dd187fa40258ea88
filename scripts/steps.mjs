// What several commands share: install and build once, run a child process, count tests. Node built-ins only,
// because these run before `npm ci` has.
import { spawn } from "node:child_process";
import { existsSync, mkdirSync, readFileSync } from "node:fs";
import { dirname, join } from "node:path";
import { fileURLToPath } from "node:url";

export const root = join(dirname(fileURLToPath(import.meta.url)), "..");

/**
 * Runs a command in the repository root; its output goes to `output` (default: this terminal). A stop waits for it:
 * Ctrl-C reaches the child from the terminal, SIGTERM is passed on, and this process ends when the child has ended. Where this
 * process ends before, for example because a command beside this one failed, the child is ended too.
 */
export function run(command, args, { env = {}, cwd = root, output = "inherit" } = {}) {
  return new Promise((resolve, reject) => {
    const stdio = output === "stderr" ? ["ignore", 2, 2] : ["ignore", output, output];
    const child = spawn(command, args, { cwd, stdio, env: { ...process.env, ...env } });
    let stopped = false;
    const onInterrupt = () => {
      stopped = true;
    };
    const end = () => child.kill("SIGTERM");
    const onTerminate = () => {
      stopped = true;
      end();
    };
    process.on("SIGINT", onInterrupt);
    process.on("SIGTERM", onTerminate);
    process.on("exit", end);
    child.on("error", reject);
    child.on("close", (code, signal) => {
      process.off("SIGINT", onInterrupt);
      process.off("SIGTERM", onTerminate);
      process.off("exit", end);
      if (stopped) process.exit(code === null || code === 0 ? 130 : code);
      resolve(signal === null ? code : 1);
    });
  });
}

/** `npm ci`, unless node_modules is already what package-lock.json says. */
export async function install(output = "inherit") {
  const read = (path) => (existsSync(path) ? JSON.parse(readFileSync(path, "utf8")) : null);
  const lock = read(join(root, "package-lock.json"));
  if (isInstalled(lock, read(join(root, "node_modules", ".package-lock.json")))) return;
  if ((await run("npm", ["ci"], { output })) !== 0) throw new Error("npm ci failed");
}

/**
 * Whether all that a package-lock.json asks for is installed. `installed`: node_modules/.package-lock.json, which npm
 * writes last; null where there is none. Optional packages of other platforms are never there.
 */
export function isInstalled(lock, installed) {
  if (installed === null) return false;
  const same = (path, entry) => {
    const found = installed.packages[path];
    if (found === undefined) return entry.optional === true || entry.devOptional === true;
    return found.version === entry.version && found.integrity === entry.integrity;
  };
  const wanted = Object.entries(lock.packages).filter(([path]) => path.startsWith("node_modules/"));
  const extra = Object.keys(installed.packages).filter((path) => lock.packages[path] === undefined);
  return extra.length === 0 && wanted.every(([path, entry]) => same(path, entry));
}

/** Values of an option that is written `--name value` or `--name=value`. */
export function valuesOf(name, args) {
  return args.flatMap((arg, i) => {
    if (arg.startsWith(`--${name}=`)) return [arg.slice(name.length + 3)];
    return arg === `--${name}` && args[i + 1] !== undefined ? [args[i + 1]] : [];
  });
}

/** Builds every package; turbo skips what is built already. */
export async function build(output = "inherit") {
  await turbo(["build"], output);
}

/**
 * Builds what the command line tool runs but its kernels: no declarations of types, which take longer than all the rest.
 */
export async function buildTool(output = "inherit") {
  await turbo(["build:js", "--filter=@basic-mllm/cli..."], output);
}

async function turbo(tasks, output) {
  const code = await run("npx", ["turbo", "run", ...tasks, "--output-logs=errors-only"], { output });
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
