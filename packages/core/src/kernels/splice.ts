import * as tf from "@tensorflow/tfjs-core";

import { bindShapes } from "../shape.js";
import type { KernelContract } from "./contract.js";
import { checkIndices } from "./index-range.js";
import { gatherRows, scatterAddRows } from "./row-gather.js";
import { runKernel } from "./run.js";

/** Attributes of {@link splice}: `ids` `[R]`, a token id from 0 to V − 1, or −1 − n for visual row n. */
export type SpliceAttrs = { readonly ids: Int32Array };

/**
 * The input rows of packed samples: `y_r = table[ids_r]` for text, `y_r = visual[−1 − ids_r]` for visual rows.
 *
 * V tokens, N visual rows, R rows, width D: `table` `[V, D]`, `visual` `[N, D]`, `y` `[R, D]`. A visual row may be
 * left out; one that is used several times gets the sum of the gradients.
 */
export const splice: KernelContract<"table" | "visual", SpliceAttrs> = {
  name: "BasicSplice",
  inputs: ["table", "visual"],
  infer: ({ table, visual }, { ids }) => {
    const { V, N, D } = bindShapes("splice", { table: ["VD", table], visual: ["ND", visual] });
    const where = "splice";
    checkIndices({ where, name: "`ids`", values: ids, limit: V as number, target: "`table`" });
    const values = visualRowsOf(ids);
    checkIndices({ where, name: "visual row of `ids`", values, limit: N as number, target: "`visual`" });
    return [[ids.length, D as number]];
  },
  reference: ({ table, visual }, { ids }) => [tf.tidy(() => spliceRows(table, visual, ids))],
  save: { inputs: ["table", "visual"], outputs: [false] },
  gradient: ([dy], { inputs }, { ids }, needs) => {
    const { table, visual } = inputs as Record<"table" | "visual", tf.Tensor>;
    const scatter = (rows: Int32Array, target: tf.Tensor) =>
      runKernel(
        scatterAddRows,
        { dy: dy as tf.Tensor },
        { rows, height: target.shape[0] as number },
      )[0] as tf.Tensor;
    return {
      ...(needs.has("table") && { table: scatter(ids, table) }),
      ...(needs.has("visual") && { visual: scatter(visualRowsOf(ids), visual) }),
    };
  },
  differentiable: ["table", "visual"],
  cases: [
    {
      title: "two images between words",
      inputs: { table: { shape: [41, 7] }, visual: { shape: [5, 7] } },
      attrs: { ids: Int32Array.of(1, -1, -2, -3, 40, 1, 0, -4, -5) },
    },
    {
      title: "out of order, one visual row twice and one not at all",
      inputs: { table: { shape: [9, 41] }, visual: { shape: [3, 41] } },
      attrs: { ids: Int32Array.of(-3, 8, -1, 8, -3) },
    },
    {
      title: "one visual row",
      inputs: { table: { shape: [9, 7] }, visual: { shape: [1, 7] } },
      attrs: { ids: Int32Array.of(-1) },
    },
    {
      title: "text only",
      inputs: { table: { shape: [9, 7] }, visual: { shape: [0, 7] } },
      attrs: { ids: Int32Array.of(0, 8, 8) },
    },
    {
      title: "large and tiny values",
      inputs: {
        table: { shape: [2, 2], values: [1e3, -1e3, 0, 1] },
        visual: { shape: [1, 2], values: [1e-12, -1e3] },
      },
      attrs: { ids: Int32Array.of(1, -1, 0) },
    },
  ],
  // A copy.
  tolerance: { absolute: 0, relative: 0 },
};

/** Visual row of each id; negative where the id is a token. */
function visualRowsOf(ids: Int32Array): Int32Array {
  return ids.map((id) => -1 - id);
}

/** Gathers the used rows of both sources, then puts them in order. */
function spliceRows(table: tf.Tensor, visual: tf.Tensor, ids: Int32Array): tf.Tensor {
  const textIds = ids.filter((id) => id >= 0);
  const visualRows = visualRowsOf(ids).filter((row) => row >= 0);
  if (visualRows.length === 0) return gatherRows(table, textIds);
  if (textIds.length === 0) return gatherRows(visual, visualRows);
  const both = tf.concat([gatherRows(table, textIds), gatherRows(visual, visualRows)], 0);
  return gatherRows(both, placesOf(ids, textIds.length));
}

/** Where each output row stands after all text rows, then all visual rows. */
function placesOf(ids: Int32Array, textCount: number): Int32Array {
  let text = 0;
  let visual = textCount;
  return ids.map((id) => (id >= 0 ? text++ : visual++));
}
