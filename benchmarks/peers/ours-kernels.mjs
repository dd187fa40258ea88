// Our side of a kernel comparison, driven by lines of JSON (see turns.mjs).
import { start } from "@basic-mllm/backend-cpu";
import * as tf from "@tensorflow/tfjs-core";

import { meanSquare, serve, timeRuns } from "./serve.mjs";
import { noise } from "./values.mjs";

const zeros = (length) => new Float32Array(length);

/** A product as `native.matmul` takes it. */
function openProduct(native, { sizes: [m, n, k], operands }) {
  const [a, b, c] = [noise("a", m * k, 1), noise("b", k * n, 1), zeros(m * n)];
  const [transposeA, transposeB] = [...operands].map((letter) => letter === "T");
  return {
    run: () => native.matmul(a, b, c, 1, 1, m, n, k, transposeA, transposeB),
    results: () => [c],
  };
}

/** Causal attention forward and backward over packed rows. */
function openAttention(native, { sizes: [samples, heads, rows, width] }) {
  const offsets = Int32Array.from({ length: samples + 1 }, (_, i) => i * rows);
  const length = samples * rows * heads * width;
  const [q, k, v, dy] = ["q", "k", "v", "dy"].map((name) => noise(name, length, 1));
  const [y, dq, dk, dv] = [length, length, length, length].map(zeros);
  const logSumExp = zeros(samples * rows * heads);
  const shape = { heads, keyHeads: heads, headWidth: width, scale: 1 / Math.sqrt(width) };
  const layout = {
    queryOffsets: offsets,
    keyOffsets: offsets,
    ...shape,
    causal: true,
    window: 0,
    softcap: 0,
  };
  return {
    run() {
      native.attention(q, k, v, layout, y, logSumExp);
      native.attentionBackward(dy, q, k, v, y, logSumExp, layout, dq, dk, dv);
    },
    results: () => [y, dq, dk, dv],
  };
}

const OPEN = { product: openProduct, attention: openAttention };
let opened;

await serve({
  async open({ case: chosen, threads }) {
    await start({ threads, precision: chosen.precision });
    const { native } = tf.backend();
    opened = OPEN[chosen.kernel](native, chosen);
    opened.run();
    return { results: opened.results().map(meanSquare) };
  },
  time: ({ repeats }) => timeRuns(opened.run, repeats),
});
