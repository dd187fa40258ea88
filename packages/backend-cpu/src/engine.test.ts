import { copyFileSync, mkdirSync, mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import path from "node:path";
import { afterEach, beforeEach, expect, it, vi } from "vitest";

import { openEngine, resolveEngine } from "./engine.js";
import { packageRoot, platformPackage } from "./native.js";

let folder: string;

beforeEach(() => {
  folder = mkdtempSync(path.join(tmpdir(), "basic-mllm-"));
});

afterEach(() => {
  rmSync(folder, { recursive: true });
  vi.unstubAllEnvs();
});

/** Stands for the WebAssembly kernels of a build in `folder`. */
function writeWasm(text: string): void {
  mkdirSync(path.join(folder, "wasm"));
  writeFileSync(path.join(folder, "wasm", "index.mjs"), text);
}

async function messageOf(promise: Promise<unknown>): Promise<string> {
  const error = await promise.then(
    () => new Error("no error"),
    (reason: Error) => reason,
  );
  return error.message.replaceAll(folder, "<folder>").replaceAll(platformPackage(), "<package>");
}

it("is the native one where there is one", async () => {
  expect(await openEngine(undefined, 1, packageRoot())).toMatchObject({ name: "native" });
  expect((await openEngine("native", 1, packageRoot())).reason).toBeUndefined();
});

it("is WebAssembly where there is none, and says why", async () => {
  writeWasm("export const open = async (threads) => ({ threads });");
  const engine = await openEngine(undefined, 3, folder);
  expect(engine).toMatchObject({ name: "wasm", bindings: { threads: 3 } });
  expect(engine.reason).toContain(`${platformPackage()} is not installed`);
  expect((await openEngine("wasm", 3, folder)).reason).toBeUndefined();
});

it("is not changed when native kernels are asked for", async () => {
  writeWasm("export const open = async (threads) => ({ threads });");
  expect(await messageOf(openEngine("native", 1, folder))).toContain("<package> is not installed");
});

it("is not changed when a build of one's own is broken", async () => {
  writeWasm("export const open = async (threads) => ({ threads });");
  writeFileSync(path.join(folder, `basic-mllm-cpu.${process.platform}-${process.arch}.node`), "no library");
  expect(await messageOf(openEngine(undefined, 1, folder))).toContain("Delete it and build it again");
});

it("is found in the platform's package, and WebAssembly in its own", async () => {
  const addon = path.join(packageRoot(), `basic-mllm-cpu.${process.platform}-${process.arch}.node`);
  const installed = (name: string) => path.join(folder, "node_modules", name);
  mkdirSync(installed(platformPackage()), { recursive: true });
  copyFileSync(addon, path.join(installed(platformPackage()), "basic-mllm-cpu.node"));
  writeFileSync(path.join(installed(platformPackage()), "package.json"), '{ "main": "basic-mllm-cpu.node" }');
  const wasm = installed("@basic-mllm/backend-cpu-wasm32");
  mkdirSync(wasm);
  writeFileSync(path.join(wasm, "index.mjs"), "export const open = async (threads) => ({ threads });");
  writeFileSync(path.join(wasm, "package.json"), '{ "type": "module", "exports": "./index.mjs" }');
  const engine = await openEngine(undefined, 2, folder);
  expect(engine.name).toBe("native");
  expect(engine.bindings.instructionSets()).not.toEqual([]);
  expect(await openEngine("wasm", 2, folder)).toMatchObject({ bindings: { threads: 2 } });
});

it("names both ways out where neither works", async () => {
  expect(await messageOf(openEngine(undefined, 1, folder))).toMatchInlineSnapshot(
    `"The CPU backend has no kernels here. Native: <package> is not installed. Install it with \`npm install <package>\`, or build it with \`npm run build:native\` in <folder> (needs Rust 1.89 or later, https://rustup.rs). WebAssembly: @basic-mllm/backend-cpu-wasm32 is not installed. Install it with \`npm install @basic-mllm/backend-cpu-wasm32\`, or build it with \`npm run build:wasm\` in <folder>. [E_BACKEND_START]"`,
  );
});

it("passes on why WebAssembly does not start", async () => {
  writeWasm('export const open = () => Promise.reject(new Error("no shared memory"));');
  expect(await messageOf(openEngine("wasm", 1, folder))).toContain("does not load: Error: no shared memory");
});

it("is taken from the option, then from the environment", () => {
  vi.stubEnv("BASIC_MLLM_ENGINE", "wasm");
  expect([resolveEngine(undefined), resolveEngine("native")]).toEqual(["wasm", "native"]);
  vi.stubEnv("BASIC_MLLM_ENGINE", "");
  expect(resolveEngine(undefined)).toBeUndefined();
  vi.stubEnv("BASIC_MLLM_ENGINE", "java");
  expect(() => resolveEngine(undefined)).toThrowErrorMatchingInlineSnapshot(
    `[BasicError: The CPU backend runs as "native" or "wasm", but the environment variable BASIC_MLLM_ENGINE is "java". Leave it out to use native kernels, and WebAssembly only where there are none. [E_BACKEND_START]]`,
  );
});
