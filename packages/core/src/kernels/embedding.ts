import type * as tf from "@tensorflow/tfjs-core";

import { bindShapes } from "../shape.js";
import type { KernelContract } from "./contract.js";
import { checkIndices } from "./index-range.js";
import { gatherRows, scatterAddRows } from "./row-gather.js";
import { runKernel } from "./run.js";

/** Attributes of {@link embedding}: `ids` `[R]`, each from 0 to V − 1. */
export type EmbeddingAttrs = { readonly ids: Int32Array };

/**
 * `y_r = table[ids_r]`. V tokens, R rows, width D: `table` `[V, D]`, `y` `[R, D]`.
 *
 * The gradient adds rows in O(R + V) rows, not R × V.
 */
export const embedding: KernelContract<"table", EmbeddingAttrs> = {
  name: "BasicEmbedding",
  inputs: ["table"],
  infer: ({ table }, { ids }) => {
    const { V, D } = bindShapes("embedding", { table: ["VD", table] });
    const limit = V as number;
    checkIndices({ where: "embedding", name: "`ids`", values: ids, minimum: 0, limit, target: "`table`" });
    return [[ids.length, D as number]];
  },
  reference: ({ table }, { ids }) => [gatherRows(table, ids)],
  save: { inputs: ["table"], outputs: [false] },
  gradient: ([dy], { inputs }, { ids }) => {
    const height = (inputs.table as tf.Tensor).shape[0] as number;
    const [dtable] = runKernel(scatterAddRows, { dy: dy as tf.Tensor }, { rows: ids, height });
    return { table: dtable as tf.Tensor };
  },
  differentiable: ["table"],
  cases: [
    {
      title: "repeated ids",
      inputs: { table: { shape: [41, 7] } },
      attrs: { ids: Int32Array.of(40, 0, 3, 3, 17, 0, 40, 1, 2) },
    },
    { title: "one row", inputs: { table: { shape: [9, 41] } }, attrs: { ids: Int32Array.of(8) } },
    {
      title: "large and tiny values",
      inputs: { table: { shape: [2, 2], values: [1e3, -1e3, 1e-12, 0] } },
      attrs: { ids: Int32Array.of(1, 0, 1) },
    },
    { title: "no rows", inputs: { table: { shape: [9, 7] } }, attrs: { ids: new Int32Array(0) } },
  ],
  // A copy.
  tolerance: { absolute: 0, relative: 0 },
};
