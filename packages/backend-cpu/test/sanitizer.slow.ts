// Memory of the native kernels, on every instruction set of this CPU, in f32 and bf16: conformance and fuzzed calls on
// an addon whose memory ends at pages that fault, and on one with the address sanitizer.
import { execFileSync, spawnSync } from "node:child_process";
import { copyFileSync, existsSync, realpathSync } from "node:fs";
import { mkdir } from "node:fs/promises";
import path from "node:path";
import { fileURLToPath } from "node:url";

import { describe, expect, it } from "vitest";

import type { MemoryResult } from "./memory-program.js";
import { bundle } from "./suite.js";

const PACKAGE = fileURLToPath(new URL("..", import.meta.url));
const ADDON = `basic-mllm-cpu.${process.platform}-${process.arch}.node`;
const TARGET = "x86_64-unknown-linux-gnu";
const SEED = 22;
const HERE = process.platform === "linux" && process.arch === "x64";

type Variables = Readonly<Record<string, string>>;

/** Builds the addon, and puts it with the program into a folder of their own; gives the program's path. */
async function build(name: string, args: readonly string[], env: Variables, output: string): Promise<string> {
  const target = path.join(PACKAGE, "native", "target", name);
  execFileSync("cargo", ["build", "--release", "--locked", ...args], {
    cwd: path.join(PACKAGE, "native"),
    stdio: "inherit",
    env: {
      ...process.env,
      CARGO_TARGET_DIR: target,
      CARGO_PROFILE_RELEASE_LTO: "off",
      CARGO_PROFILE_RELEASE_DEBUG: "1",
      CARGO_PROFILE_RELEASE_STRIP: "none",
      ...env,
    },
  });
  const folder = path.join(PACKAGE, ".cache", name);
  await mkdir(folder, { recursive: true });
  copyFileSync(path.join(target, output, "release", "libbasic_mllm_cpu.so"), path.join(folder, ADDON));
  return bundle("memory-program", path.join(folder, "dist"));
}

/** Runs the program. When the process is killed, the end of its output names the call. */
function run(program: string, calls: number, env: Variables): MemoryResult {
  const { status, signal, stdout, stderr } = spawnSync(
    process.execPath,
    [program, String(calls), String(SEED)],
    { env: { ...process.env, ...env }, encoding: "utf8", maxBuffer: 2 ** 28 },
  );
  const report = stderr.indexOf("ERROR: AddressSanitizer");
  const detail = report < 0 ? stderr.slice(-1000) : stderr.slice(report, report + 4000);
  expect({ status, signal }, `the last call, of seed ${SEED}, and a report:\n${detail}`).toEqual({
    status: 0,
    signal: null,
  });
  return JSON.parse(stdout.trimEnd().split("\n").at(-1) ?? "") as MemoryResult;
}

function expectClean({ devices, cases, calls, failures }: MemoryResult, wanted: number): void {
  expect(failures).toEqual([]);
  expect(devices.filter((device) => device.includes("bf16")).length).toBe(devices.length / 2);
  expect(cases).toBeGreaterThan(300 * devices.length);
  expect(calls).toBe(wanted * devices.length);
}

/** The sanitizer's runtime, which must be there before the process begins. */
function sanitizerRuntime(): string {
  const found = execFileSync("gcc", ["-print-file-name=libasan.so"], { encoding: "utf8" }).trim();
  if (path.isAbsolute(found) && existsSync(found)) return realpathSync(found);
  throw new Error(
    "gcc has no libasan.so, the runtime of the address sanitizer. Install it, for example with " +
      "`apt-get install libgcc-12-dev` on Debian 12, and run the test again.",
  );
}

describe.runIf(HERE)("native kernels touch no memory but their own", () => {
  it("between pages that fault, behind arrays and before them", async () => {
    const program = await build("guard", ["--features", "guard-pages"], {}, "");
    expectClean(run(program, 12_000, {}), 12_000);
    expectClean(run(program, 6000, { BASIC_MLLM_GUARD: "front" }), 6000);
  });

  it("by the address sanitizer", async () => {
    const preload = sanitizerRuntime();
    const flags = {
      RUSTC_BOOTSTRAP: "1",
      RUSTFLAGS: "-Zsanitizer=address -Zexternal-clangrt",
    };
    const args = ["--features", "exact-blocks", "--target", TARGET];
    const program = await build("asan", args, flags, TARGET);
    const options = "detect_leaks=0:exitcode=99";
    expectClean(run(program, 3000, { LD_PRELOAD: preload, ASAN_OPTIONS: options }), 3000);
  });
});
