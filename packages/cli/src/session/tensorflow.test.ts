import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { createRequire } from "node:module";
import { tmpdir } from "node:os";
import { join } from "node:path";

import { BasicError } from "@basic-mllm/core";
import * as tf from "@tensorflow/tfjs-core";
import { afterEach, beforeEach, expect, it, vi } from "vitest";

import { describe, probe, start } from "./tensorflow.js";

const CORE = createRequire(import.meta.url).resolve("@tensorflow/tfjs-core");

/** As tfjs-node does when it is loaded. */
const REGISTERS = (gpu: boolean) => `
const tf = require(${JSON.stringify(CORE)});
class Node extends tf.KernelBackend {
  isUsingGpuDevice = ${gpu};
  binding = { TF_Version: "2.21.0" };
  dispose() {}
}
tf.registerBackend("tensorflow", () => new Node());`;

let project: string;

beforeEach(() => {
  project = mkdtempSync(join(tmpdir(), "mllm-tensorflow-"));
  vi.stubEnv("BASIC_MLLM_TENSORFLOW", project);
});

afterEach(() => {
  vi.unstubAllEnvs();
  if (tf.findBackendFactory("tensorflow") !== null) tf.removeBackend("tensorflow");
  rmSync(project, { recursive: true });
});

/** Puts a package into the project. */
function install(name: string, source: string, built = true): void {
  const folder = join(project, "node_modules", "@tensorflow", name);
  const library = join(folder, "lib", "napi-v8");
  mkdirSync(built ? library : folder, { recursive: true });
  if (built) writeFileSync(join(library, "tfjs_binding.node"), "");
  writeFileSync(join(folder, "package.json"), JSON.stringify({ version: "4.22.0", main: "index.js" }));
  writeFileSync(join(folder, "index.js"), source);
}

async function errorOf(action: () => Promise<unknown>): Promise<string> {
  const error: unknown = await action().then(
    () => undefined,
    (reason: unknown) => reason,
  );
  if (error instanceof BasicError) return error.message.replaceAll(project, "PROJECT");
  throw new Error(`Not one of our errors: ${error}`);
}

it("starts the package that is installed, and says what it computes with", async () => {
  install("tfjs-node", REGISTERS(false));
  expect(await probe()).toBe("@tensorflow/tfjs-node 4.22.0, slow compositions of stock operations");
  expect(tf.findBackendFactory("tensorflow")).toBeNull();
  expect(await start()).toBe("tensorflow");
  expect(describe()).toBe("TensorFlow 2.21.0 on the processor, slow compositions of stock operations");
});

it("is loaded without warnings for kernels that are registered again", async () => {
  const kernel = '{ kernelName: "Abs", backendName: "other", kernelFunc: () => [] }';
  install("tfjs-node", `${REGISTERS(false)}\ntf.registerKernel(${kernel});\ntf.registerKernel(${kernel});`);
  const warn = vi.spyOn(console, "warn").mockReturnValue();
  await start();
  expect(warn).not.toHaveBeenCalled();
  expect(tf.env().getBool("PROD")).toBe(false);
});

it("takes the package for GPUs first", async () => {
  install("tfjs-node", "throw new Error('not this one');");
  install("tfjs-node-gpu", REGISTERS(true));
  expect(await start()).toBe("tensorflow");
  expect(describe()).toBe("TensorFlow 2.21.0 on the GPU, slow compositions of stock operations");
});

it("does not compute on the processor where a GPU was asked for", async () => {
  install("tfjs-node-gpu", REGISTERS(false));
  expect(await errorOf(start)).toMatchInlineSnapshot(
    `"@tensorflow/tfjs-node-gpu finds no GPU: TensorFlow's messages above say what it looked for. Correct that, or remove the package and build the engine for the processor: \`bash scripts/build-tfjs-node.sh cpu\`. [E_BACKEND_START]"`,
  );
});

it("says how to get it where it is not installed", async () => {
  expect(await errorOf(start)).toMatchInlineSnapshot(
    `"@tensorflow/tfjs-node is not installed in PROJECT (BASIC_MLLM_TENSORFLOW). Its own installer brings a TensorFlow of 2022, so build it on a current one: \`bash scripts/build-tfjs-node.sh cpu\` of the repository, or \`bash scripts/build-tfjs-node.sh gpu\`, with the folder of your project behind it. [E_BACKEND_START]"`,
  );
  expect(await errorOf(probe)).toBe(await errorOf(start));
  vi.stubEnv("BASIC_MLLM_TENSORFLOW", undefined);
  expect(await errorOf(probe)).toMatch(/^@tensorflow\/tfjs-node is not installed\. /);
});

it("says how to build it where it does not load", async () => {
  install("tfjs-node", "throw new Error('The Node.js native addon module can not be found.\\nmore');", false);
  expect(await errorOf(start)).toMatchInlineSnapshot(
    `"@tensorflow/tfjs-node 4.22.0 (PROJECT/node_modules/@tensorflow/tfjs-node) does not load: The Node.js native addon module can not be found. Build its binding on a current TensorFlow: \`bash scripts/build-tfjs-node.sh cpu\` of the repository, with the folder of your project behind it. [E_BACKEND_START]"`,
  );
  expect(await errorOf(probe)).toContain("does not load: its binding is missing. Build its binding");
});

it("notices that it registered itself elsewhere", async () => {
  install("tfjs-node", "");
  expect(await errorOf(start)).toMatchInlineSnapshot(
    `"@tensorflow/tfjs-node (PROJECT/node_modules/@tensorflow/tfjs-node) registers itself with a copy of @tensorflow/tfjs-core of its own, where basic-mllm does not see it. Install both in one project, with @tensorflow/tfjs-core 4.22.0 once (\`npm ls @tensorflow/tfjs-core\`). [E_BACKEND_START]"`,
  );
});
