import {
  createMemoryStore,
  createOptimizer,
  defineRecipe,
  disposeStep,
  type MemoryFiles,
  singleProcess,
  train,
  trainStep,
  type VlmBatch,
} from "@basic-mllm/core";
import * as tf from "@tensorflow/tfjs-core";
import { afterEach, beforeEach, describe, expect, it, vi } from "vitest";

import { defineProgram, start, startedBackend, stop, type WebGpuBackend } from "../src/index.js";
import { languageModel, type Setup } from "./training-steps.js";

let backend: WebGpuBackend;
beforeEach(async () => {
  await start({ prepare: true });
  backend = startedBackend();
});
afterEach(() => {
  vi.restoreAllMocks();
  stop();
});

/** Some steps with their own optimizer, which read a loss at their end and leave nothing behind. */
async function steps({ objective, parameters, batches }: Setup): Promise<void> {
  const optimizer = createOptimizer({ groups: [{ name: "all", parameters, learningRate: 0.01 }] });
  for (const [step, batch] of batches.entries()) {
    const position = { stage: "train", step, steps: batches.length };
    const input = { objective, batches: [batch], position, collective: singleProcess };
    const outcome = await trainStep({ ...input, reduction: "global" }, optimizer, 1);
    if (step === batches.length - 1) await outcome.loss.data();
    disposeStep(outcome);
  }
  optimizer.dispose();
}

/** Bytes by which the pool grows over some steps. */
async function growth(setup: Setup): Promise<number> {
  const before = backend.pool.numBytesAllocated;
  await steps(setup);
  return backend.pool.peakBytes - before;
}

/** A matrix product, and an operation of tfjs. */
function product(x: tf.Tensor2D): void {
  tf.tidy(() => {
    tf.sin(tf.matMul(x, x));
  });
}

/** Calls of the device that make something or compute. */
function watchDevice() {
  const { device } = backend;
  return [
    vi.spyOn(device, "createBuffer"),
    vi.spyOn(device, "createComputePipeline"),
    vi.spyOn(device, "createComputePipelineAsync"),
    vi.spyOn(device, "createBindGroup"),
    vi.spyOn(device.queue, "writeBuffer"),
  ] as const;
}

/** What can be seen of the backend from outside. */
function state() {
  const { numTensors, numDataBuffers } = tf.memory();
  const { pool, pipelines, dispatches, hostBuffers } = backend;
  const buffers = [pool.getNumUsedBuffers(), pool.getNumFreeBuffers(), pool.numBytesUsed, pool.peakBytes];
  return { numTensors, numDataBuffers, buffers, pipelines: pipelines.size, dispatches, hostBuffers };
}

describe("rehearse", () => {
  it("predicts the bytes that training then allocates, computes nothing and leaves nothing behind", async () => {
    const setup = languageModel();
    const values = () => Promise.all(setup.parameters.map((parameter) => parameter.floats()));
    const before = await values();
    const calls = watchDevice();
    const unchanged = state();
    const grown = await backend.rehearse(() => steps(setup));
    expect(state()).toEqual(unchanged);
    expect(calls.map(({ mock }) => mock.calls.length)).toEqual([0, 0, 0, 0, 0]);
    expect(await values()).toEqual(before);
    expect(grown).toBeGreaterThan(1000);
    expect(await growth(setup)).toBe(grown);
    // From the buffers that are free now.
    const again = await backend.rehearse(() => steps(setup));
    expect(again).toBeLessThan(grown / 20);
    expect(await growth(setup)).toBe(again);
    expect(await values()).not.toEqual(before);
  });

  it("says how far memory has grown as it goes on", async () => {
    const seen: number[] = [];
    await backend.rehearse(async (grown) => {
      for (let i = 0; i < 2; i++) {
        const x = tf.zeros([2 ** 18]);
        seen.push(grown());
        x.dispose();
      }
    });
    expect(seen).toEqual([2 ** 20, 2 ** 20]);
  });

  it("reads 0, of tensors from before too", async () => {
    const x = tf.tensor1d([1, 2, 3]);
    const reads: unknown[] = [];
    await backend.rehearse(async () => {
      reads.push(await x.data());
      const y = tf.tensor1d([7, 8], "int32");
      reads.push(await y.data());
      y.dispose();
    });
    expect(reads).toEqual([new Float32Array(3), new Int32Array(2)]);
    expect(await x.data()).toEqual(Float32Array.of(1, 2, 3));
  });

  it("refuses tensors that stay", async () => {
    const error = await backend
      .rehearse(async () => {
        tf.zeros([3]);
      })
      .catch((reason: unknown) => reason);
    expect((error as Error).message).toMatchInlineSnapshot(
      `"rehearse: 1 tensors were made and not disposed. They have no values: dispose what the body makes. [E_CONFIG]"`,
    );
    expect(await tf.square(tf.tensor1d([1, 2])).data()).toEqual(Float32Array.of(1, 4));
  });

  it("refuses another one meanwhile", async () => {
    const nested = backend.rehearse(async () => {
      await backend.rehearse(async () => undefined);
    });
    await expect(nested).rejects.toThrow(
      "rehearse: another rehearsal is under way on this backend. Wait until it has ended. [E_CONFIG]",
    );
  });

  it("is over when its body throws", async () => {
    const before = state();
    const failing = backend.rehearse(async () => {
      throw new Error("no such picture");
    });
    await expect(failing).rejects.toThrow("no such picture");
    expect(state()).toEqual(before);
    expect(await tf.square(tf.tensor1d([3])).data()).toEqual(Float32Array.of(9));
  });

  it("gives the buffers of older tensors back that go meanwhile", async () => {
    const x = tf.ones([1000]);
    await x.data();
    const used = backend.pool.numBytesUsed;
    await backend.rehearse(async () => x.dispose());
    expect(backend.pool.numBytesUsed).toBe(used - 4096);
  });

  it("leaves tensors without a buffer as they were", async () => {
    const empty = tf.square(tf.zeros([0, 3]));
    const before = state();
    await backend.rehearse(async () => tf.dispose(tf.square(empty)));
    expect(state()).toEqual(before);
    expect(await empty.data()).toEqual(new Float32Array(0));
    expect(await tf.square(empty).data()).toEqual(new Float32Array(0));
  });
});

describe("prepare", () => {
  it("compiles what a body would run, of tfjs too, and nothing twice", async () => {
    const x = tf.ones([8, 8]) as tf.Tensor2D;
    const calls = watchDevice();
    const counts: number[] = [];
    const body = () => product(x);
    await backend.prepare(body, (kernels) => counts.push(kernels));
    await backend.prepare(body, (kernels) => counts.push(kernels));
    expect(counts).toEqual([2]);
    const [, sync, , bound] = calls;
    expect([sync.mock.calls.length, bound.mock.calls.length]).toEqual([0, 0]);
    const y = tf.sin(tf.matMul(x, x));
    expect(sync).not.toHaveBeenCalled();
    expect((await y.data())[0]).toBeCloseTo(Math.sin(8), 3);
  });

  it("says which kernel does not compile", async () => {
    const broken = defineProgram({
      name: "broken",
      reads: {},
      writes: { y: "f32" },
      uniforms: {},
      code: "@compute @workgroup_size(1) fn main() { y[0] = nothing; }",
    });
    const y = backend.allocate([1]);
    const preparing = backend.prepare(() =>
      backend.dispatch(broken, { reads: {}, writes: { y }, uniforms: {}, workgroups: [1] }),
    );
    await expect(preparing).rejects.toThrow(
      'The shader of the kernel "broken" does not compile on this adapter at line 2',
    );
  });

  it("throws what its body throws, and refuses tensors that stay", async () => {
    const failing = () => {
      throw new Error("no such picture");
    };
    await expect(backend.prepare(failing)).rejects.toThrow("no such picture");
    await expect(backend.prepare(() => void tf.zeros([3]))).rejects.toThrow("were made and not disposed");
  });
});

const recipe = defineRecipe({
  task: "language",
  name: "tiny",
  model: { language: "any", tokenizer: "any" },
  data: { train: { read: "any" } },
  stages: { read: { train: ["language"], steps: 2, batchSize: 1, learningRate: 1e-2, logEvery: 1 } },
});

/** Trains two steps on a new device; gives the pipelines that were compiled while the process waited, and the checkpoint. */
async function trained(prepare: boolean) {
  stop();
  await start({ prepare });
  backend = startedBackend();
  const { objective, batches } = languageModel();
  const files: MemoryFiles = new Map();
  const compile = vi.spyOn(backend.device, "createComputePipeline");
  const compiled: number[] = [];
  await train<VlmBatch>({
    recipe,
    objective: () => objective,
    data: () => ({ size: 1, batch: async () => batches[0] as VlmBatch }),
    store: createMemoryStore(files),
    onEvent: ({ kind }) => {
      if (kind === "stage-start" || kind === "step") compiled.push(compile.mock.calls.length);
    },
  });
  const name = [...files.keys()].find((path) => path.endsWith(".safetensors")) ?? "";
  return { compiled, checkpoint: files.get(name) };
}

it("training compiles before its first step, and comes to the same bits as without", async () => {
  const prepared = await trained(true);
  const plain = await trained(false);
  expect(prepared.checkpoint?.length).toBeGreaterThan(0);
  expect(prepared.checkpoint).toEqual(plain.checkpoint);
  const [atStart = 0, first = 0, second = 0] = prepared.compiled;
  expect([first - atStart, second - first]).toEqual([0, 0]);
  expect((plain.compiled[1] ?? 0) - (plain.compiled[0] ?? 0)).toBeGreaterThan(20);
});
