import {
  linearCrossEntropy,
  linearCrossEntropyBackward,
  linearKl,
  linearKlBackward,
  runKernel,
} from "@basic-mllm/core";
import * as tf from "@tensorflow/tfjs-core";
import { afterAll, beforeAll, expect, it } from "vitest";

import { start, startedBackend, stop } from "../src/index.js";
import { nearest } from "./bf16.js";
import { TEST_DEVICE } from "./device.js";

beforeAll(() => start({ ...TEST_DEVICE, precision: "bf16" }));
afterAll(stop);

const ROWS = 5;
const WORDS = 150;
const WIDTH = 6;
/** Three chunks of words. */
const chunkBytes = 4 * ROWS * 64;

/** Values that bfloat16 has. */
function matrix(rows: number, seed: number): tf.Tensor {
  const values = Float32Array.from({ length: rows * WIDTH }, (_, i) => nearest(Math.sin(seed + 3 * i)));
  return tf.tensor2d(values, [rows, WIDTH]);
}

function inBf16(x: tf.Tensor): tf.Tensor {
  const backend = startedBackend();
  const copy = backend.allocate(x.shape, "float32", "bf16");
  backend.copy(x, copy);
  return tf.engine().makeTensorFromTensorInfo(copy);
}

const valuesOf = (tensors: readonly tf.Tensor[]) => Promise.all(tensors.map((each) => each.data()));
const row = (value: number) => tf.fill([ROWS], value);

/** Both passes with these rows and words. */
const losses: Readonly<Record<string, (x: tf.Tensor, words: tf.Tensor) => readonly tf.Tensor[]>> = {
  linearCrossEntropy: (x, weight) => {
    const attrs = { labels: Int32Array.of(0, 149, -100, 70, 64), softcap: 0, chunkBytes };
    const inputs = { dloss: row(0.5), x, weight, logSumExp: row(6) };
    return [
      ...runKernel(linearCrossEntropy, { x, weight }, { ...attrs, withSlope: true }),
      ...runKernel(linearCrossEntropyBackward, inputs, { ...attrs, needsWeight: true }),
    ];
  },
  linearKl: (v, vocabulary) => {
    const inputs = { v, r: matrix(ROWS, 40), vocabulary, a: row(0.5) };
    const states = { dloss: row(0.5), kl: row(0.25), lseV: row(6), lseR: row(6) };
    return [
      ...runKernel(linearKl, inputs, { chunkBytes, withSlope: true }),
      ...runKernel(linearKlBackward, { ...inputs, ...states }, { chunkBytes, needsRefined: true }),
    ];
  },
};

it.each(
  Object.entries(losses).flatMap(([name, loss]) =>
    [true, false].map((rounds) => [name, rounds, loss] as const),
  ),
)("%s takes words in bfloat16, where rows are (%s), too, and chunks are small", async (_, rounds, loss) => {
  const [x, words] = [matrix(ROWS, 0), matrix(WORDS, 20)];
  const rows = rounds ? inBf16(x) : x;
  const expected = await valuesOf(loss(rows, words));
  expect(await valuesOf(loss(rows, inBf16(words)))).toEqual(expected);
  expect(expected.flatMap((values) => [...values]).every(Number.isFinite)).toBe(true);
});
