import {
  frozenLinear,
  frozenLinearBackward,
  frozenLinearBias,
  type PackedStorage,
  packers,
  runKernel,
  unpack,
} from "@basic-mllm/core";
import * as tf from "@tensorflow/tfjs-core";
import fc from "fast-check";
import { beforeAll, describe, expect, it } from "vitest";

import { start } from "../../index.js";

beforeAll(() => start({ image: "ptx" }));

/** Numbers without a pattern, from −1 to 1. */
function wave(count: number, seed: number): Float32Array {
  return Float32Array.from({ length: count }, (_, i) => (((i + 1) * seed) % 1009) / 504.5 - 1);
}

interface Size {
  readonly rows: number;
  readonly inFeatures: number;
  readonly outFeatures: number;
}

/** `left [rows, depth]` times a matrix whose element (k, n) `at` gives, in double precision. */
function product(
  left: Float32Array,
  [rows, depth, columns]: readonly [number, number, number],
  at: (k: number, n: number) => number,
): Float64Array {
  return Float64Array.from({ length: rows * columns }, (_, i) => {
    const [row, n] = [Math.floor(i / columns), i % columns];
    let sum = 0;
    for (let k = 0; k < depth; k++) sum += (left[row * depth + k] ?? 0) * at(k, n);
    return sum;
  });
}

function worst(actual: ArrayLike<number>, expected: Float64Array): number {
  expect(actual.length).toBe(expected.length);
  return expected.reduce((most, value, i) => Math.max(most, Math.abs(value - (actual[i] ?? Number.NaN))), 0);
}

/** Largest errors of the forward and the backward product. */
async function errorsOf(storage: PackedStorage, { rows, inFeatures, outFeatures }: Size) {
  const words = packers[storage](wave(inFeatures * outFeatures, 613));
  const values = unpack(storage, words, inFeatures * outFeatures);
  const given = {
    x: wave(rows * inFeatures, 7919),
    dy: wave(rows * outFeatures, 31),
    bias: wave(outFeatures, 17),
  };
  const weight = tf.tensor1d(words, "int32");
  const x = tf.tensor2d(given.x, [rows, inFeatures]);
  const dy = tf.tensor2d(given.dy, [rows, outFeatures]);
  const bias = tf.tensor1d(given.bias);
  const attrs = { storage, inFeatures, outFeatures };
  const [y] = runKernel(frozenLinear, { x, weight }, attrs) as [tf.Tensor];
  const [withBias] = runKernel(frozenLinearBias, { x, weight, bias }, attrs) as [tf.Tensor];
  const [dx] = runKernel(frozenLinearBackward, { dy, weight }, attrs) as [tf.Tensor];
  const forward = product(
    given.x,
    [rows, inFeatures, outFeatures],
    (k, n) => values[n * inFeatures + k] ?? 0,
  );
  const plusBias = forward.map((value, i) => value + (given.bias[i % outFeatures] ?? 0));
  const backward = product(
    given.dy,
    [rows, outFeatures, inFeatures],
    (k, n) => values[k * inFeatures + n] ?? 0,
  );
  const errors = [
    worst(await y.data(), forward),
    worst(await withBias.data(), plusBias),
    worst(await dx.data(), backward),
  ];
  tf.dispose([weight, x, dy, bias, y, withBias, dx]);
  return Math.max(...errors);
}

describe("products with packed weights", () => {
  it.each(["bf16", "f16"] as const)(
    "are those of the decoded weight, for any sizes in %s",
    async (storage) => {
      const sizes = fc.record({
        rows: fc.integer({ min: 1, max: 40 }),
        inFeatures: fc.integer({ min: 1, max: 80 }),
        outFeatures: fc.integer({ min: 1, max: 140 }),
      });
      await fc.assert(
        fc.asyncProperty(sizes, async (size) => {
          expect(await errorsOf(storage, size)).toBeLessThan(1e-4);
        }),
        { numRuns: 20 },
      );
    },
  );

  it.each(["q8_0", "q4_0", "q4_1"] as const)(
    "are those of the decoded weight, for any sizes of %s",
    async (storage) => {
      const sizes = fc.record({
        rows: fc.integer({ min: 1, max: 40 }),
        inFeatures: fc.integer({ min: 1, max: 3 }).map((blocks) => blocks * 32),
        outFeatures: fc.integer({ min: 1, max: 140 }),
      });
      await fc.assert(
        fc.asyncProperty(sizes, async (size) => {
          expect(await errorsOf(storage, size)).toBeLessThan(1e-4);
        }),
        { numRuns: 10 },
      );
    },
  );
});
