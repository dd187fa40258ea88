import { createHash } from "node:crypto";

import {
  accumulate,
  adamw,
  type MomentStorage,
  packMoment,
  runKernel,
  squaredNorm,
  valueAndGradients,
} from "@basic-mllm/core";
import * as tf from "@tensorflow/tfjs-core";
import fc from "fast-check";
import { beforeAll, describe, expect, it } from "vitest";

import { start } from "../start.js";

beforeAll(async () => {
  await start({ threads: 2 });
});

const storages = ["float32", "bfloat16", "int8"] as const;
/** More tensors than a native call takes, sizes around a block, and one of several tasks. */
const sizes = fc.array(fc.oneof(fc.integer({ min: 0, max: 700 }), fc.constant(40_001)), {
  minLength: 1,
  maxLength: 20,
});

interface Tensor {
  readonly size: number;
  readonly rate: number;
  readonly decay: number;
}

/** About uniform in -1 to 1; cheap, the same on every machine. */
function values(size: number, seed: number, scale = 1): Float32Array {
  return Float32Array.from(
    { length: size },
    (_, i) => scale * (((i * 7919 + seed * 613) % 1009) / 504.5 - 1),
  );
}

/** The four inputs of a tensor under the number `i`. */
function inputsOf({ size }: Tensor, i: number, moments: MomentStorage) {
  const moment = (seed: number, second: boolean) => {
    const drawn = values(size, seed, 0.1).map((value) => (second ? value * value : value));
    if (moments === "float32") return tf.tensor1d(drawn);
    return tf.tensor1d(packMoment({ storage: moments, second }, drawn, 3), "int32");
  };
  return [
    [`parameter${i}`, tf.tensor1d(values(size, 1))] as const,
    [`gradient${i}`, tf.tensor1d(values(size, 2))] as const,
    [`m${i}`, moment(3, false)] as const,
    [`v${i}`, moment(4, true)] as const,
  ];
}

/** Hashes of all outputs after a step of these tensors in one call. */
function stepOf(tensors: readonly Tensor[], moments: MomentStorage): readonly string[] {
  return tf.tidy(() => {
    const named = tensors.flatMap((tensor, i) => inputsOf(tensor, i, moments));
    const inputs = Object.fromEntries(named) as Record<(typeof named)[number][0], tf.Tensor>;
    const attrs = {
      learningRates: Float64Array.from(tensors, ({ rate }) => rate),
      weightDecays: Float64Array.from(tensors, ({ decay }) => decay),
      beta1: 0.9,
      beta2: 0.99,
      epsilon: 1e-8,
      step: 5,
      moments,
    };
    const outputs = runKernel(adamw, { ...inputs, control: tf.tensor1d([0.5, 1]) }, attrs);
    return outputs.map((output) => createHash("sha1").update(output.dataSync()).digest("hex"));
  });
}

describe.each(storages)("BasicAdamw with %s moments", (moments) => {
  it("gives every tensor the bits that it gets alone, on any number of threads", async () => {
    await fc.assert(
      fc.asyncProperty(sizes, async (list) => {
        const tensors = list.map((size, i) => ({ size, rate: 10 ** -(1 + (i % 3)), decay: (i % 2) / 10 }));
        await start({ threads: 2 });
        const together = stepOf(tensors, moments);
        await start({ threads: 1 });
        expect(together).toEqual(tensors.flatMap((tensor) => stepOf([tensor], moments)));
      }),
      { numRuns: 15 },
    );
  });
});

describe("BasicSquaredNorm", () => {
  it("adds the tensors' own sums in their order", async () => {
    await fc.assert(
      fc.property(sizes, (list) => {
        const tensors = [...list, ...new Array<number>(50).fill(9)];
        tf.tidy(() => {
          const all = tensors.map((size, i) => tf.tensor1d(values(size, i)));
          const inputs = Object.fromEntries(all.map((x, i) => [`x${i}` as const, x]));
          const [together] = runKernel(squaredNorm, inputs, {});
          const alone = all.map((x0) => runKernel(squaredNorm, { x0 }, {})[0]?.dataSync()[0] ?? Number.NaN);
          const sum = alone.reduce((total, value) => Math.fround(total + value), 0);
          expect(together?.dataSync()[0]).toBe(sum);
        });
      }),
      { numRuns: 15 },
    );
  });
});

describe("accumulate", () => {
  it("adds in place where nothing else holds the sum", () => {
    const [sum, term] = [tf.tensor1d([1, 2, 3]), tf.tensor1d([10, 20, 30])];
    const [total] = runKernel(accumulate, { sum, term }, {});
    expect(total?.dataId).toBe(sum.dataId);
    sum.dispose();
    expect([...(total?.dataSync() ?? [])]).toEqual([11, 22, 33]);
    expect([...term.dataSync()]).toEqual([10, 20, 30]);
    tf.dispose([total as tf.Tensor, term]);
  });

  it("leaves a sum alone that another tensor shares", () => {
    const before = tf.memory().numTensors;
    const [sum, term] = [tf.tensor1d([1, 2, 3]), tf.tensor1d([10, 20, 30])];
    const other = tf.reshape(sum, [3, 1]);
    const [total] = runKernel(accumulate, { sum, term }, {});
    expect([...(total?.dataSync() ?? [])]).toEqual([11, 22, 33]);
    expect([...other.dataSync()]).toEqual([1, 2, 3]);
    tf.dispose([total as tf.Tensor, sum, term, other]);
    expect(tf.memory().numTensors).toBe(before);
  });

  it("adds up the gradients of a tensor that is used several times", () => {
    const x = tf.tensor1d([1, 2, 3]);
    const { gradients } = valueAndGradients(() => tf.sum(tf.add(tf.square(x), tf.mul(x, tf.add(x, 3)))), [x]);
    expect([...(gradients[0]?.dataSync() ?? [])]).toEqual([7, 11, 15]);
  });
});
