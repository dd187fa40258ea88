import "@tensorflow/tfjs-backend-cpu";

import * as tf from "@tensorflow/tfjs-core";
import { afterAll, beforeAll, describe, expect, it } from "vitest";

import { type CudaBackend, start, startedBackend, stop } from "../src/index.js";
import { storageOf } from "../src/memory/storage.js";
import { nearest } from "./bf16.js";
import { TEST_DEVICE } from "./device.js";

let backend: CudaBackend;
beforeAll(async () => {
  await start({ ...TEST_DEVICE, precision: "bf16" });
  backend = startedBackend();
});
afterAll(stop);

/** Values that bfloat16 has, in a tensor that keeps them in it. */
function rounded(shape: number[], from = 1): tf.Tensor {
  const size = tf.util.sizeFromShape(shape);
  return inBf16(tf.tensor(Float32Array.from({ length: size }, (_, i) => (from + i) / 8).map(nearest), shape));
}

function inBf16(x: tf.Tensor): tf.Tensor {
  const copy = backend.allocate(x.shape, "float32", "bf16");
  backend.copy(x, copy);
  return tf.engine().makeTensorFromTensorInfo(copy);
}

/** The same values in float32. */
function wide(x: tf.Tensor): tf.Tensor {
  return tf.tensor(x.dataSync(), x.shape);
}

const copies: Readonly<Record<string, (x: tf.Tensor) => tf.Tensor>> = {
  "a slice": (x) => tf.slice(x, [1, 0, 3], [1, 4, 5]),
  "a slice of words": (x) => tf.slice(x, [0, 1, 4], [2, 2, 4]),
  "a slice of everything": (x) => tf.slice(x, [0, 0, 0], [2, 4, 8]),
  "every other one": (x) => tf.stridedSlice(x, [0, 0, 0], [2, 4, 8], [1, 2, 3]),
  "a transposition": (x) => tf.transpose(x, [0, 2, 1]),
  "another order": (x) => tf.transpose(x, [1, 0, 2]),
  padding: (x) =>
    tf.pad(
      x,
      [
        [0, 1],
        [0, 0],
        [3, 0],
      ],
      1.5,
    ),
  tiles: (x) => tf.tile(x, [2, 1, 3]),
  "a reversal": (x) => tf.reverse(x, [2]),
  "tensors side by side": (x) => tf.concat([x, x], 2),
  "a stack": (x) => tf.stack([x, x], 1),
  "a piece": (x) => tf.split(x, [1, 3], 1)[1] as tf.Tensor,
};

describe("operations of tensors in bfloat16", () => {
  it.each(Object.entries(copies))("%s stays in it", async (_, copy) => {
    const x = rounded([2, 4, 8]);
    const [actual, expected] = [copy(x), copy(wide(x))];
    expect(storageOf(actual)).toBe("bf16");
    expect(actual.shape).toEqual(expected.shape);
    expect(await actual.data()).toEqual(await expected.data());
  });

  it.each([
    ["of one shape", [3, 8], [3, 8]],
    ["of one shape with an odd size", [3, 7], [3, 7]],
    ["with a row", [3, 8], [8]],
    ["with a column", [3, 8], [3, 1]],
    ["with a part of a row", [3, 7], [1, 7]],
    ["with one value", [3, 8], []],
  ])("sums, differences and products %s are rounded once", async (_, left, right) => {
    for (const operation of [tf.add, tf.sub, tf.mul]) {
      const [a, b] = [rounded(left), rounded(right, 3)];
      const exact = await operation(wide(a), wide(b)).data();
      for (const y of [b, wide(b)]) {
        const actual = operation(a, y);
        expect(storageOf(actual)).toBe("bf16");
        expect(await actual.data()).toEqual(Float32Array.from(exact, nearest));
        const turned = operation(y, a);
        expect(storageOf(turned)).toBe("bf16");
        const exactTurned = await operation(wide(b), wide(a)).data();
        expect(await turned.data()).toEqual(Float32Array.from(exactTurned, nearest));
      }
    }
  });

  it("a row in bfloat16 does not round what is larger and in float32", async () => {
    const [a, b] = [tf.fill([3, 8], 1 / 3), rounded([8])];
    for (const actual of [tf.mul(a, b), tf.mul(b, a)]) {
      expect(storageOf(actual)).toBe("f32");
      expect(await actual.data()).toEqual(await tf.mul(a, wide(b)).data());
    }
    expect(storageOf(tf.add(rounded([3, 1]), tf.zeros([1, 8])))).toBe("f32");
  });

  it("sums of several are rounded by turns, and a sum in float32 is not", async () => {
    const terms = [rounded([5]), rounded([5], 2), rounded([5], 3)];
    expect(storageOf(tf.addN(terms))).toBe("bf16");
    const exact = tf.addN(terms.map(wide));
    expect(await tf.addN(terms).data()).toEqual(await exact.data());
    expect(storageOf(tf.sum(terms[0] as tf.Tensor))).toBe("f32");
    const mixed = tf.addN([wide(terms[0] as tf.Tensor), terms[1] as tf.Tensor]);
    expect(storageOf(mixed)).toBe("f32");
    expect(await mixed.data()).toEqual(await tf.addN(terms.slice(0, 2).map(wide)).data());
  });

  it("other operations see float32, and views of what was widened live on", async () => {
    const x = rounded([2, 6], -5);
    for (const operation of [tf.abs, tf.exp, (y: tf.Tensor) => tf.cast(y, "float32"), tf.zerosLike]) {
      const before = backend.allocator.statistics.usedBlocks;
      const actual = operation(x);
      expect(backend.allocator.statistics.usedBlocks).toBe(before + 1);
      const expected = tf.tidy(() => operation(wide(x)));
      expect(await actual.data()).toEqual(await expected.data());
      tf.dispose([actual, expected]);
      expect(backend.allocator.statistics.usedBlocks).toBe(before);
    }
  });

  it("products round the other factor, and keep rows of activations", async () => {
    const [x, w] = [rounded([6, 4]), tf.tensor2d([1 / 3, 2 / 3, 1, -1 / 3, 5, 7, 0.3, -0.7], [4, 2])];
    const near = tf.tensor(w.dataSync().map(nearest), [4, 2]);
    const exact = await tf.matMul(wide(x), near).data();
    const actual = tf.matMul(x, w);
    expect(storageOf(actual)).toBe("bf16");
    expect(await actual.data()).toEqual(Float32Array.from(exact, nearest));
    const gradient = tf.matMul(x, actual, true);
    expect(storageOf(gradient)).toBe("f32");
    expect(await gradient.data()).toEqual(await tf.matMul(wide(x), wide(actual), true).data());
    expect(storageOf(tf.matMul(w, rounded([2, 3])))).toBe("f32");
  });

  it("products of batches that share a factor, and of both transposed", async () => {
    const [x, y] = [rounded([2, 5, 3]), rounded([1, 3, 4])];
    const plain = tf.matMul(x, y);
    expect(await plain.data()).toEqual(Float32Array.from(await tf.matMul(wide(x), wide(y)).data(), nearest));
    const [a, b] = [rounded([2, 3, 5]), rounded([2, 4, 3])];
    const turned = tf.matMul(a, b, true, true);
    expect(await turned.data()).toEqual(await tf.matMul(wide(a), wide(b), true, true).data());
  });
});

it("a tensor that was on another backend is kept in bfloat16 again, rounded", async () => {
  const x = rounded([3, 5], -7);
  const expected = await tf.add(x, x).data();
  const cpu = tf.findBackend("cpu");
  tf.engine().moveData(cpu, x.dataId);
  expect(storageOf(x)).toBe("bf16");
  (cpu.readSync(x.dataId) as Float32Array)[1] = 1 + 2 ** -7 + 2 ** -9;
  tf.engine().moveData(backend, x.dataId);
  expect((await x.data())[1]).toBe(1 + 2 ** -7);
  expect(await tf.add(x, x).data()).toEqual(expected.map((value, i) => (i === 1 ? 2 + 2 ** -6 : value)));
});
