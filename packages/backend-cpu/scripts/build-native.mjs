// Builds the Rust addon and puts it beside package.json. Does nothing when it is newer than its sources.
import { spawnSync } from "node:child_process";
import { copyFileSync, readdirSync, readFileSync, renameSync, statSync } from "node:fs";
import path from "node:path";
import { fileURLToPath } from "node:url";

import { neededRust, rustProblem } from "./rust-version.mjs";

const root = path.dirname(path.dirname(fileURLToPath(import.meta.url)));
const native = path.join(root, "native");
const target = path.join(root, `basic-mllm-cpu.${process.platform}-${process.arch}.node`);

function newest(entry) {
  const stat = statSync(entry);
  if (!stat.isDirectory()) return stat.mtimeMs;
  return Math.max(...readdirSync(entry).map((name) => newest(path.join(entry, name))), 0);
}

function isFresh() {
  const built = statSync(target, { throwIfNoEntry: false });
  if (built === undefined) return false;
  const sources = ["src", "build.rs", "Cargo.toml", "Cargo.lock"].map((name) => path.join(native, name));
  return sources.every((source) => newest(source) <= built.mtimeMs);
}

function libraryName() {
  if (process.platform === "win32") return "basic_mllm_cpu.dll";
  return process.platform === "darwin" ? "libbasic_mllm_cpu.dylib" : "libbasic_mllm_cpu.so";
}

function checkRust() {
  const found = spawnSync("cargo", ["--version"], { cwd: native, encoding: "utf8" });
  const needed = neededRust(readFileSync(path.join(native, "Cargo.toml"), "utf8"));
  const problem = rustProblem(found.error === undefined ? found.stdout : null, needed);
  if (problem !== null) throw new Error(problem);
}

function build() {
  const result = spawnSync("cargo", ["build", "--release", "--locked", ...process.argv.slice(2)], {
    cwd: native,
    stdio: "inherit",
    env: { ...process.env, CARGO_TARGET_DIR: path.join(native, "target") },
  });
  if (result.status !== 0) throw new Error(`cargo build failed with exit code ${result.status}; see above.`);
}

try {
  if (!isFresh()) {
    checkRust();
    build();
    // Under another name first: a process that has the old file loaded keeps it.
    copyFileSync(path.join(native, "target", "release", libraryName()), `${target}.new`);
    renameSync(`${target}.new`, target);
  }
} catch (error) {
  process.stderr.write(`${error.message}\n`);
  process.exitCode = 1;
}
