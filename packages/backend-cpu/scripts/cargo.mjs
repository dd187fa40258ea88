// What the build scripts share: when to build, and cargo with words for its failures.
import { spawnSync } from "node:child_process";
import { readdirSync, readFileSync, statSync } from "node:fs";
import path from "node:path";
import { fileURLToPath } from "node:url";

import { neededRust, rustProblem } from "./rust-version.mjs";

export const root = path.dirname(path.dirname(fileURLToPath(import.meta.url)));
export const native = path.join(root, "native");

function newest(entry) {
  const stat = statSync(entry);
  if (!stat.isDirectory()) return stat.mtimeMs;
  return Math.max(...readdirSync(entry).map((name) => newest(path.join(entry, name))), 0);
}

/** Whether `target` exists and no Rust source, nor any of `others`, changed after it was made. */
export function isNewer(target, others = []) {
  const built = statSync(target, { throwIfNoEntry: false });
  if (built === undefined) return false;
  const sources = ["src", "build.rs", "Cargo.toml", "Cargo.lock"].map((name) => path.join(native, name));
  return [...sources, ...others].every((source) => newest(source) <= built.mtimeMs);
}

/** Runs a command to its end, its output on this terminal. */
export function run(command, args, env = {}, cwd = native) {
  const result = spawnSync(command, args, { cwd, stdio: "inherit", env: { ...process.env, ...env } });
  if (result.error?.code === "ENOENT") throw missing(command);
  if (result.error !== undefined) throw result.error;
  if (result.status !== 0) {
    throw new Error(`\`${command} ${args.join(" ")}\` failed with exit code ${result.status}; see above.`);
  }
}

function missing(command) {
  return new Error(
    `Building @basic-mllm/backend-cpu needs the Rust toolchain, and \`${command}\` was not found. ` +
      "Install Rust 1.89 or later with rustup (https://rustup.rs), open a new shell, and run the build again.",
  );
}

/** Throws where cargo is missing or too old, with what to do. */
export function checkRust() {
  const found = spawnSync("cargo", ["--version"], { cwd: native, encoding: "utf8" });
  const needed = neededRust(readFileSync(path.join(native, "Cargo.toml"), "utf8"));
  const problem = rustProblem(found.error === undefined ? found.stdout : null, needed);
  if (problem !== null) throw new Error(problem);
}

/** Builds the crate in release mode. `command`: what `cargo` does, where it is not `build`. */
export function cargoBuild(args, env = {}, command = ["build"]) {
  run("cargo", [...command, "--release", "--locked", ...args], {
    CARGO_TARGET_DIR: path.join(native, "target"),
    ...env,
  });
}

/** Installs the standard library of a target. Does nothing where it is there. */
export function addTarget(target) {
  run("rustup", ["target", "add", target]);
}

/** Runs `body`; its error becomes one line and exit code 1. */
export async function reportFailure(body) {
  try {
    await body();
  } catch (error) {
    process.stderr.write(`${error.message}\n`);
    process.exitCode = 1;
  }
}
