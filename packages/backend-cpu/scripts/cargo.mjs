// What the build scripts share: when to build, and cargo with words for its failures.
import { spawnSync } from "node:child_process";
import { readFileSync } from "node:fs";
import path from "node:path";
import { fileURLToPath } from "node:url";

import { hashOf, isCurrent, recordBuild } from "./build-record.mjs";
import { neededRust, rustProblem } from "./rust-version.mjs";

export const root = path.dirname(path.dirname(fileURLToPath(import.meta.url)));
export const native = path.join(root, "native");

/** Runs `build` unless `target` is what it made of the Rust sources, and of `others`, as they are now. */
export async function buildUnlessCurrent(target, others, build) {
  const rust = ["src", "build.rs", "Cargo.toml", "Cargo.lock"].map((name) => path.join(native, name));
  const sources = [...rust, ...others];
  const records = path.join(native, "target");
  if (isCurrent(target, sources, records)) return;
  // Before the build: what changes during it is built the next time.
  const built = hashOf(sources);
  await build();
  recordBuild(target, built, records);
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
