import * as tf from "@tensorflow/tfjs-core";
import { describe, expect, it } from "vitest";

import { madeUp } from "../../test/central-differences.js";
import { checkCases, useReferences } from "../../test/contract-checks.js";
import { attention } from "./attention.js";
import { type CachedAttentionAttrs, cachedAttention } from "./cached-attention.js";
import { runKernel } from "./run.js";

useReferences(cachedAttention, attention);

const attrs: CachedAttentionAttrs = {
  offsets: Int32Array.of(0, 2),
  starts: Int32Array.of(3),
  heads: 2,
  kvHeads: 1,
  scale: 0.5,
  window: 0,
  softcap: 0,
};

function infer(changes: Partial<CachedAttentionAttrs>, room = 6) {
  const shapes = { q: [2, 8], k: [2, 4], v: [2, 4], keys: [1, room, 4], values: [1, room, 4] };
  return () => cachedAttention.infer(shapes, { ...attrs, ...changes });
}

describe("cachedAttention", () => {
  it("is attention over the rows of the buffers, and writes the new ones there", () => {
    const rows = (count: number, width: number, seed: number) =>
      tf.tensor2d(madeUp(count * width, seed), [count, width]);
    const [q, k, v] = [rows(5, 8, 1), rows(5, 4, 2), rows(5, 4, 3)];
    const layout = { ...attrs, qOffsets: Int32Array.of(0, 5), kvOffsets: Int32Array.of(0, 5), causal: true };
    const [whole] = runKernel(attention, { q, k, v }, layout);
    const buffer = (x: tf.Tensor2D) =>
      tf.pad(tf.reshape(tf.slice(x, [0, 0], [3, -1]), [1, 3, -1]), [
        [0, 0],
        [0, 3],
        [0, 0],
      ]);
    const last = (x: tf.Tensor2D) => tf.slice(x, [3, 0], [2, -1]);
    const inputs = { q: last(q), k: last(k), v: last(v), keys: buffer(k), values: buffer(v) };
    const [y, keys, values] = runKernel(cachedAttention, inputs, attrs);
    const expected = tf.slice(whole as tf.Tensor, [3, 0], [2, -1]).dataSync();
    for (const [i, value] of (y as tf.Tensor).dataSync().entries())
      expect(value).toBeCloseTo(expected[i] ?? Number.NaN, 5);
    const held = (x: tf.Tensor | undefined) => [
      ...tf.slice(x as tf.Tensor, [0, 0, 0], [1, 5, -1]).dataSync(),
    ];
    expect([held(keys), held(values)]).toEqual([[...k.dataSync()], [...v.dataSync()]]);
  });

  it("says what does not fit", () => {
    expect(infer({})()).toEqual([
      [2, 8],
      [1, 6, 4],
      [1, 6, 4],
    ]);
    expect(infer({}, 4)).toThrowErrorMatchingInlineSnapshot(
      `[BasicError: cachedAttention: sample 0 has 2 new rows from row 3 on, but the buffers have room for 4. Copy them to larger ones first. [E_SHAPE]]`,
    );
    expect(infer({ offsets: Int32Array.of(0, 1) })).toThrowErrorMatchingInlineSnapshot(
      `[BasicError: cachedAttention: \`offsets\` must rise from 0 to the 2 new rows in 1 steps, one for each sample of the buffers, got [0, 1]. [E_SHAPE]]`,
    );
    expect(infer({ starts: Int32Array.of(0, 0) })).toThrowErrorMatchingInlineSnapshot(
      `[BasicError: cachedAttention: \`starts\` must have one value for each of the 1 samples of the buffers, got 2. [E_SHAPE]]`,
    );
    expect(infer({ heads: 3 })).toThrowErrorMatchingInlineSnapshot(
      `[BasicError: cachedAttention: queries of width 8 in 3 heads and keys of width 4 in 1 heads must give the same head width, and \`heads\` must be a multiple of \`kvHeads\`. [E_SHAPE]]`,
    );
  });

  checkCases(cachedAttention);
});
