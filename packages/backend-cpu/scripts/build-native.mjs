// Builds the Rust addon and puts it beside package.json. Does nothing when it is newer than its sources.
import { spawnSync } from "node:child_process";
import { copyFileSync, readdirSync, renameSync, statSync } from "node:fs";
import path from "node:path";
import { fileURLToPath } from "node:url";

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

function build() {
  const result = spawnSync("cargo", ["build", "--release", "--locked", ...process.argv.slice(2)], {
    cwd: native,
    stdio: "inherit",
    env: { ...process.env, CARGO_TARGET_DIR: path.join(native, "target") },
  });
  if (result.error?.code === "ENOENT") {
    throw new Error(
      "Building @basic-mllm/backend-cpu needs the Rust toolchain, and `cargo` was not found. " +
        "Install Rust 1.89 or later with rustup (https://rustup.rs), open a new shell, and run the build again.",
    );
  }
  if (result.status !== 0) throw new Error(`cargo build failed with exit code ${result.status}; see above.`);
}

try {
  if (!isFresh()) {
    build();
    // Under another name first: a process that has the old file loaded keeps it.
    copyFileSync(path.join(native, "target", "release", libraryName()), `${target}.new`);
    renameSync(`${target}.new`, target);
  }
} catch (error) {
  process.stderr.write(`${error.message}\n`);
  process.exitCode = 1;
}
