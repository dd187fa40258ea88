import { embedding, linearCrossEntropy, linearKl, runKernel } from "@basic-mllm/core";
import * as tf from "@tensorflow/tfjs-core";
import { afterAll, beforeAll, expect, it } from "vitest";

import { start, startedBackend, stop } from "../src/index.js";

/** The vocabulary of Qwen2: 148 MiB, in bindings of 128 MiB. */
const [WORDS, WIDTH, LABEL] = [151_936, 256, 151_935];

const binding = 128 * 2 ** 20;
let table: tf.Tensor;

/** Word w is `1 + w / WORDS` in one column, which differs from word to word. */
function logit(word: number, row: Float32Array): number {
  return Math.fround(1 + word / WORDS) * (row[word % WIDTH] as number);
}

beforeAll(async () => {
  await start({ limits: { maxStorageBufferBindingSize: binding } });
  const values = new Float32Array(WORDS * WIDTH);
  for (let word = 0; word < WORDS; word++) values[word * WIDTH + (word % WIDTH)] = 1 + word / WORDS;
  table = tf.tensor2d(values, [WORDS, WIDTH]);
});

afterAll(() => {
  table.dispose();
  stop();
});

function rowOf(seed: number): Float32Array {
  return Float32Array.from({ length: WIDTH }, (_, d) => Math.sin(seed + d));
}

function logSumExp(row: Float32Array): number {
  let sum = 0;
  for (let word = 0; word < WORDS; word++) sum += Math.exp(logit(word, row));
  return Math.log(sum);
}

it("takes 151,936 words in bindings of 128 MiB", async () => {
  expect(startedBackend().device.limits.maxStorageBufferBindingSize).toBe(binding);
  const [row, other] = [rowOf(1), rowOf(2)];
  const [x, r] = [tf.tensor2d(row, [1, WIDTH]), tf.tensor2d(other, [1, WIDTH])];
  const chunkBytes = 2 ** 18;
  const attrs = { labels: Int32Array.of(LABEL), softcap: 0, chunkBytes, withSlope: true };
  const [loss, lse] = runKernel(linearCrossEntropy, { x, weight: table }, attrs) as [tf.Tensor, tf.Tensor];
  const inputs = { v: x, r, vocabulary: table, a: tf.ones([1]) };
  const [kl] = runKernel(linearKl, inputs, { chunkBytes, withSlope: true }) as [tf.Tensor];
  const [last] = runKernel(embedding, { table }, { ids: Int32Array.of(LABEL) }) as [tf.Tensor];
  const [lseX, lseR] = [logSumExp(row), logSumExp(other)];
  expect((await lse.data())[0]).toBeCloseTo(lseX, 4);
  expect((await loss.data())[0]).toBeCloseTo(lseX - logit(LABEL, row), 4);
  let expected = lseX - lseR;
  for (let word = 0; word < WORDS; word++) {
    expected += Math.exp(logit(word, other) - lseR) * (logit(word, other) - logit(word, row));
  }
  expect((await kl.data())[0]).toBeCloseTo(expected, 4);
  expect((await last.data())[LABEL % WIDTH]).toBe(Math.fround(1 + LABEL / WORDS));
});
