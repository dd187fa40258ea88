import * as tf from "@tensorflow/tfjs-core";
import fc from "fast-check";
import { afterEach, beforeEach, describe, expect, it } from "vitest";

import { type CudaBackend, defineProgram, stop } from "../src/index.js";
import { errorOf, fake, startOnEmulator } from "./emulator.js";

const copyOf = defineProgram({
  name: "copy of host values",
  source:
    'extern "C" __global__ void copy(const int* x, float* y, int n) { int i = blockIdx.x * 256 + threadIdx.x; if (i < n) y[i] = x[i]; }',
  entry: "copy",
  params: { x: "pointer", y: "pointer", n: "i32" },
  block: 256,
  work: ({ n }) => ({ bytes: 8 * n, flops: 0 }),
});

let backend: CudaBackend;
beforeEach(async () => {
  fake.reset();
  backend = await startOnEmulator();
});
afterEach(() => {
  stop();
  fake.reset();
});

const read = async (x: tf.TensorInfo) => Array.from((await backend.read(x.dataId)) as Float32Array);

describe("values", () => {
  it.each([
    ["float32", [1.5, -2, 0]],
    ["int32", [1, -2, 2 ** 31 - 1]],
    ["bool", [1, 0, 1]],
  ] as const)("of %s tensors come back", async (dtype, values) => {
    const x = tf.tensor1d([...values], dtype);
    expect(Array.from(await x.data())).toEqual(values);
    expect(Array.from(x.dataSync())).toEqual(values);
    expect((await x.data()).constructor).toBe(
      { float32: Float32Array, int32: Int32Array, bool: Uint8Array }[dtype],
    );
  });

  it("may be changed by the caller once the tensor is made", async () => {
    const values = Float32Array.of(1, 2);
    const x = tf.tensor1d(values);
    values.fill(9);
    expect(await read(x)).toEqual([1, 2]);
  });

  it("of host arrays may be changed once the kernel is launched", async () => {
    const offsets = Int32Array.of(1, 2, 3);
    const y = backend.allocate([3]);
    backend.dispatch(copyOf, { grid: [1], args: { x: offsets, y, n: 3 } });
    offsets.fill(7);
    expect(await read(y)).toEqual([1, 2, 3]);
  });

  it("of any size go through the upload blocks", async () => {
    const sizes = [1, 63, 2 ** 20, 2 ** 20 + 1, 5 * 2 ** 20 + 3];
    const arrays = sizes.map((size, k) => Float32Array.from({ length: size }, (_, i) => (i % 1000) + k));
    const tensors = arrays.map((values) => tf.tensor1d(values));
    for (const [k, x] of tensors.entries()) {
      const values = await x.data();
      expect(values.findIndex((value, i) => value !== arrays[k]?.[i])).toBe(-1);
      expect(values.length).toBe(arrays[k]?.length);
    }
  });

  it("of tensors without elements are no values", async () => {
    expect(await tf.zeros([0, 4]).data()).toEqual(new Float32Array(0));
    expect(tf.zeros([0]).dataSync()).toEqual(new Float32Array(0));
  });

  it("are read while others are: each gets its own", async () => {
    const tensors = [1, 2, 3, 4].map((value) => tf.fill([100], value));
    const all = await Promise.all(tensors.map((x) => x.data()));
    expect(all.map((values) => values[99])).toEqual([1, 2, 3, 4]);
    expect(backend.blockingReads).toBe(0);
    tensors[0]?.dataSync();
    expect(backend.blockingReads).toBe(1);
  });

  it("are as they were when they were asked for", async () => {
    const x = tf.tensor1d([1, 2, 3]);
    const asked = x.data();
    backend.fill(x, 0);
    x.dispose();
    const other = tf.tensor1d([7, 7, 7]);
    expect(Array.from(await asked)).toEqual([1, 2, 3]);
    other.dispose();
  });

  it("survive any order of making, sharing, copying and disposing", async () => {
    const actions = fc.array(
      fc.record({ kind: fc.constantFrom(...KINDS), at: fc.nat(30), size: fc.nat(3000) }),
      {
        maxLength: 40,
      },
    );
    await fc.assert(
      fc.asyncProperty(actions, async (list) => {
        const live: Live[] = [];
        for (const [value, { kind, at, size }] of list.entries()) {
          ACTIONS[kind]({ live, chosen: live[at % Math.max(live.length, 1)], value, size });
        }
        for (const { info, value } of live) expect(new Set(await read(info))).toEqual(new Set([value]));
        for (const { info } of live) backend.disposeData(info.dataId);
      }),
      { numRuns: 25 },
    );
    expect(backend.numDataIds()).toBe(0);
  });
});

interface Live {
  readonly info: tf.TensorInfo;
  readonly value: number;
}

const KINDS = ["make", "alias", "copy", "drop"] as const;

type Action = (on: { live: Live[]; chosen: Live | undefined; value: number; size: number }) => void;

const ACTIONS: Readonly<Record<(typeof KINDS)[number], Action>> = {
  make: ({ live, value, size }) => {
    const dataId = backend.write(new Float32Array(size + 1).fill(value), [size + 1], "float32");
    live.push({ info: { dataId, shape: [size + 1], dtype: "float32" }, value });
  },
  alias: ({ live, chosen }) => {
    if (chosen !== undefined) live.push({ info: backend.alias(chosen.info), value: chosen.value });
  },
  copy: ({ live, chosen }) => {
    if (chosen === undefined) return;
    const info = backend.allocate(chosen.info.shape);
    backend.copy(chosen.info, info);
    live.push({ info, value: chosen.value });
  },
  drop: ({ live, chosen }) => {
    if (chosen === undefined) return;
    backend.disposeData(chosen.info.dataId);
    live.splice(live.indexOf(chosen), 1);
  },
};

describe("memory", () => {
  it("does not grow over steps", async () => {
    const step = async () => {
      const x = tf.tensor2d(new Float32Array(3000), [30, 100]);
      const y = backend.allocate([3]);
      backend.dispatch(copyOf, { grid: [1], args: { x: Int32Array.of(1, 2, 3), y, n: 3 } });
      await x.data();
      backend.disposeData(y.dataId);
      x.dispose();
    };
    await step();
    const before = [backend.allocator.statistics.reservedBytes, fake.statistics().liveAllocations];
    for (let i = 0; i < 100; i++) await step();
    expect([backend.allocator.statistics.reservedBytes, fake.statistics().liveAllocations]).toEqual(before);
  });

  it("that is short is taken from free blocks first", async () => {
    backend.disposeData(backend.allocate([2 ** 20]).dataId);
    fake.inject("cuMemAllocAsync", 1, 2);
    const x = backend.allocate([2 ** 16]);
    expect(backend.allocator.statistics).toMatchObject({
      flushes: 1,
      usedBytes: 4 * 2 ** 16,
      reservedBytes: 4 * 2 ** 16,
    });
    backend.fill(x, 0);
    expect((await read(x))[2 ** 16 - 1]).toBe(0);
  });

  it("that is not there is an error with the sizes, and the run may go on with less", async () => {
    const x = tf.tensor1d([1, 2, 3]);
    expect(await errorOf(() => backend.allocate([2 ** 34]))).toMatchInlineSnapshot(
      `"The CUDA device "CUDA emulator 0" has no memory for 64 GiB: 0 MiB are in use here, and 4 GiB of its 4 GiB are free. Lower \`rowBudget\` or \`batchSize\`, the rows of a micro-batch, and raise \`accumulate\` by as much; else train fewer parts, store frozen weights packed (bf16, q8_0), or take a smaller model. [E_DEVICE_MEMORY]"`,
    );
    expect(await read(x)).toEqual([1, 2, 3]);
  });

  it("stays within its limit", async () => {
    backend = await startOnEmulator({ memoryLimit: 2 ** 20 });
    expect(await errorOf(() => backend.allocate([2 ** 20]))).toMatchInlineSnapshot(
      `"The CUDA device "CUDA emulator 0" has no memory for 4 MiB: 0 MiB are in use here, and memoryLimit is 1 MiB. Lower \`rowBudget\` or \`batchSize\`, the rows of a micro-batch, and raise \`accumulate\` by as much; else train fewer parts, store frozen weights packed (bf16, q8_0), or take a smaller model. [E_DEVICE_MEMORY]"`,
    );
    expect(backend.allocate([2 ** 17]).shape).toEqual([2 ** 17]);
  });
});

describe("a rehearsal", () => {
  it("counts what would be taken, and computes nothing", async () => {
    const x = tf.tensor1d([1, 2, 3]);
    const { launches } = backend.session;
    const { reservedBytes } = backend.allocator.statistics;
    const grown = await backend.rehearse(async (sofar) => {
      const y = backend.allocate([2 ** 28]);
      backend.dispatch(copyOf, { grid: [1], args: { x, y, n: 3 } });
      backend.disposeData(y.dataId, true);
      expect(sofar()).toBeGreaterThanOrEqual(2 ** 30);
    });
    expect(grown).toBeGreaterThanOrEqual(2 ** 30);
    expect(grown).toBeLessThan(2 ** 30 + 64 * 2 ** 20);
    expect([backend.session.launches, backend.allocator.statistics.reservedBytes]).toEqual([
      launches,
      reservedBytes,
    ]);
    expect(await read(x)).toEqual([1, 2, 3]);
  });

  it("starts from what is free", async () => {
    for (const tensor of [1, 2].map(() => backend.allocate([2 ** 20]))) backend.disposeData(tensor.dataId);
    await backend.rehearse(async () => undefined);
    const grown = await backend.rehearse(async () => {
      const tensors = [1, 2].map(() => backend.allocate([2 ** 20]));
      for (const tensor of tensors) backend.disposeData(tensor.dataId);
    });
    // The workspace of products alone.
    expect(grown).toBe(32 * 2 ** 20);
  });

  it("refuses tensors that stay", async () => {
    const text = await errorOf(() =>
      backend.rehearse(async () => {
        backend.allocate([4]);
      }),
    );
    expect(text).toMatchInlineSnapshot(
      `"rehearse: 1 tensors were made and not disposed. They have no values: dispose what the body makes. [E_CONFIG]"`,
    );
  });
});
