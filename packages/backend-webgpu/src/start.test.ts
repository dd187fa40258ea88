import { execFileSync } from "node:child_process";
import { fileURLToPath } from "node:url";

import { BasicError, layerNorm, linear, runKernel } from "@basic-mllm/core";
import * as tf from "@tensorflow/tfjs-core";
import { beforeEach, describe, expect, it } from "vitest";

import { BACKEND_NAME, describe as device, start, startedBackend, stop } from "./index.js";
import { defineProgram } from "./program.js";

beforeEach(async () => {
  await start();
});

/** An error's code and text. */
async function errorOf(action: () => unknown): Promise<string> {
  try {
    await action();
  } catch (error) {
    if (error instanceof BasicError) return error.message;
    throw error;
  }
  throw new Error("Nothing was thrown.");
}

describe("start", () => {
  it("makes the backend current and says what the device is", async () => {
    expect(await start()).toBe(BACKEND_NAME);
    expect(tf.getBackend()).toBe(BACKEND_NAME);
    expect(device()).not.toBe("");
  });

  it("opens another device after stop", async () => {
    const before = startedBackend();
    stop();
    await start();
    expect(startedBackend()).not.toBe(before);
    expect(Array.from(await tf.add(tf.ones([2]), 1).data())).toEqual([2, 2]);
  });
});

describe("reads", () => {
  it("refuses synchronous ones with advice", async () => {
    const x = tf.add(tf.ones([2, 3]), 1);
    expect(await errorOf(() => x.dataSync())).toMatchInlineSnapshot(
      `"A tensor of shape [2, 3] on the backend "basicwebgpu" was read synchronously (dataSync, arraySync, print, or a tfjs operation that does), which WebGPU does not offer. Use \`await tensor.data()\`, after the step rather than in it, or the backend "cpu". [E_SYNC_READ]"`,
    );
    x.dispose();
  });

  it("gives a tensor's own elements where its buffer is longer", async () => {
    const x = tf.tensor1d([1, 2, 3]);
    expect(Array.from(await x.data())).toEqual([1, 2, 3]);
    expect(Array.from(await tf.greater(x, 1.5).data())).toEqual([0, 1, 1]);
    expect(Array.from(await tf.zeros([0, 4]).data())).toEqual([]);
  });

  it("copies values when a tensor is made", async () => {
    const values = Float32Array.of(1, 2);
    const x = tf.tensor1d(values);
    values[0] = 9;
    expect(Array.from(await x.data())).toEqual([1, 2]);
  });
});

describe("kernels", () => {
  it("leak neither tensors nor buffers over 200 calls", async () => {
    const [x, weight, bias] = [tf.ones([5, 12]), tf.ones([12]), tf.ones([12])];
    const matrix = tf.ones([3, 12]);
    const step = async () => {
      const [y, mean, inverse] = runKernel(layerNorm, { x, weight, bias }, { epsilon: 1e-5 }) as tf.Tensor[];
      const [z] = runKernel(linear, { x: y as tf.Tensor, weight: matrix }, { activation: "silu" });
      await (z as tf.Tensor).data();
      tf.dispose([y, mean, inverse, z] as tf.Tensor[]);
    };
    await step();
    const { pool } = startedBackend();
    const before = {
      tensors: tf.memory().numTensors,
      used: pool.getNumUsedBuffers(),
      bytes: pool.numBytesAllocated,
    };
    for (let i = 0; i < 200; i++) await step();
    const after = {
      tensors: tf.memory().numTensors,
      used: pool.getNumUsedBuffers(),
      bytes: pool.numBytesAllocated,
    };
    expect(after).toEqual(before);
  });

  it("name themselves and show their WGSL when it does not compile", async () => {
    const backend = startedBackend();
    const program = defineProgram({
      name: "broken",
      reads: { x: "f32" },
      writes: { y: "f32" },
      uniforms: {},
      code: "@compute @workgroup_size(1)\nfn main() {\n  y[0] = x[0] + true;\n}",
    });
    const x = tf.ones([1]);
    const y = backend.allocate([1]);
    backend.dispatch(program, { reads: { x }, writes: { y }, uniforms: {}, workgroups: [1] });
    const text = await errorOf(() => x.data());
    expect(text).toContain('The shader of the kernel "broken" does not compile on this adapter at line 5: ');
    expect(text).toContain("> 5 |   y[0] = x[0] + true;");
    expect(await errorOf(() => backend.allocate([1]))).toBe(text);
    await expect(backend.pipelines.prepare([{ ...program, name: "broken too" }])).rejects.toMatchObject({
      code: "E_KERNEL_FAILED",
    });
    stop();
  });

  it("say which limit an array is beyond", async () => {
    stop();
    await start({ limits: { maxStorageBufferBindingSize: 2 ** 27, maxBufferSize: 2 ** 28 } });
    const x = tf.zeros([2 ** 25 + 64, 1]);
    const text = await errorOf(() =>
      runKernel(linear, { x, weight: tf.ones([1, 1]) }, { activation: "none" }),
    );
    expect(text).toMatchInlineSnapshot(
      `"matmul nt f32 none 64x64: an array of 128 MiB does not fit in one binding: maxStorageBufferBindingSize of this WebGPU device is 128 MiB. Lower \`rowBudget\` or \`batchSize\` and raise \`accumulate\` by as much; where the array is a weight, store it packed (bf16, q8_0) or take a smaller model. [E_DEVICE_MEMORY]"`,
    );
    stop();
  });
});

describe("a device that goes away", () => {
  it("is said by the next read and the next call", async () => {
    const backend = startedBackend();
    const x = tf.ones([4]);
    await x.data();
    backend.device.destroy();
    await backend.device.lost;
    expect(await errorOf(() => x.data())).toMatch(/^The WebGPU device ".*" was closed/);
    expect(await errorOf(() => tf.ones([4]))).toContain("Start again from the last checkpoint");
    stop();
  });

  it("is said by a read that waits", async () => {
    await start();
    const backend = startedBackend();
    const reading = errorOf(() => tf.ones([4]).data());
    backend.device.destroy();
    expect(await reading).toMatch(/^The WebGPU device ".*" was closed/);
    stop();
  });
});

describe("in Node", () => {
  const program = fileURLToPath(new URL("../test/start-program.mjs", import.meta.url));
  const run = (env: NodeJS.ProcessEnv) =>
    execFileSync(process.execPath, [program], { env, encoding: "utf8" });

  it("a process that started the backend ends by itself", () => {
    expect(run(process.env)).toMatch(/^started on /);
  });

  it("a process without an adapter gets an error that names the CPU backend", () => {
    const nowhere = { VK_ICD_FILENAMES: "/none.json", VK_DRIVER_FILES: "/none.json", LD_LIBRARY_PATH: "" };
    expect(run({ ...process.env, ...nowhere })).toMatchInlineSnapshot(`
      "E_BACKEND_START: WebGPU finds no adapter: this machine has no GPU with a driver for Vulkan, Metal or Direct3D 12 that it may use. Use the backend "cpu", which runs everywhere. [E_BACKEND_START]
      "
    `);
  });
});
