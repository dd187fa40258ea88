// What each kernel case runs: inputs, and the loss that a step would differentiate.
import { attention, linearCrossEntropy, linearKl, runKernel } from "@basic-mllm/core";
import * as tf from "@tensorflow/tfjs-core";

import { HEADS, WIDTH } from "./cases.mjs";

const CHUNK_BYTES = 16 * 2 ** 20;

/** Values that are cheap to make and spread like a normal distribution's. */
function matrix(rows, seed, width) {
  let state = seed;
  const values = new Float32Array(rows * width);
  for (let i = 0; i < values.length; i++) {
    state = (Math.imul(state, 1664525) + 1013904223) | 0;
    values[i] = state / 2 ** 31;
  }
  return tf.tensor2d(values, [rows, width]);
}

const sum = (tensor) => tf.sum(tensor);

/** @returns `loss`: called inside of valueAndGradients; `parameters`: what it is differentiated by. */
export function openCase({ kernel, words, rows, width = WIDTH }) {
  switch (kernel) {
    case "linear-kl":
      return openKl(words, rows, width);
    case "linear-cross-entropy":
    case "linear-cross-entropy-trained":
      return openCrossEntropy(words, rows, { width, trained: kernel.endsWith("trained") });
    case "attention":
      return openAttention(rows);
    default:
      throw new Error(`There is no kernel case "${kernel}".`);
  }
}

function openKl(words, rows, width) {
  const [v, r] = [matrix(rows, 1, width), matrix(rows, 2, width)];
  const vocabulary = matrix(words, 3, width);
  const a = tf.ones([rows]);
  const attrs = { chunkBytes: CHUNK_BYTES, withSlope: true };
  return { parameters: [v], loss: () => sum(runKernel(linearKl, { v, r, vocabulary, a }, attrs)[0]) };
}

function openCrossEntropy(words, rows, { width, trained }) {
  const [x, weight] = [matrix(rows, 1, width), matrix(words, 2, width)];
  const labels = Int32Array.from({ length: rows }, (_, row) => (row * 7919) % words);
  const attrs = { labels, softcap: 0, chunkBytes: CHUNK_BYTES, withSlope: true };
  return {
    parameters: trained ? [x, weight] : [x],
    loss: () => sum(runKernel(linearCrossEntropy, { x, weight }, attrs)[0]),
  };
}

/** One sample of all rows, causal. */
function openAttention(rows) {
  const [q, k, v] = [1, 2, 3].map((seed) => matrix(rows, seed, WIDTH));
  const offsets = Int32Array.of(0, rows);
  const attrs = {
    qOffsets: offsets,
    kvOffsets: offsets,
    heads: HEADS,
    kvHeads: HEADS,
    scale: 1 / Math.sqrt(WIDTH / HEADS),
    causal: true,
    window: 0,
    softcap: 0,
  };
  return { parameters: [q, k, v], loss: () => sum(runKernel(attention, { q, k, v }, attrs)[0]) };
}
