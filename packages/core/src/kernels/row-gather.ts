import * as tf from "@tensorflow/tfjs-core";

import { bindShapes } from "../shape.js";
import type { KernelContract } from "./contract.js";
import { checkIndices } from "./index-range.js";
import { runKernel } from "./run.js";

/** Attributes of {@link rowGather}: `rows` `[n]`, each from 0 to R − 1, in any order and with repeats. */
export type RowGatherAttrs = { readonly rows: Int32Array };

/** Attributes of {@link scatterAddRows}: `rows` `[n]` below `height`, negative to skip a row of `dy`. */
export type ScatterAddRowsAttrs = { readonly rows: Int32Array; readonly height: number };

/** `y_i = x[rows_i]`. R rows of width D: `x` `[R, D]`, `y` `[n, D]`. */
export const rowGather: KernelContract<"x", RowGatherAttrs> = {
  name: "BasicRowGather",
  inputs: ["x"],
  infer: ({ x }, { rows }) => {
    const { R, D } = bindShapes("rowGather", { x: ["RD", x] });
    const limit = R as number;
    checkIndices({ where: "rowGather", name: "`rows`", values: rows, minimum: 0, limit, target: "`x`" });
    return [[rows.length, D as number]];
  },
  reference: ({ x }, { rows }) => [gatherRows(x, rows)],
  save: { inputs: ["x"], outputs: [false] },
  gradient: ([dy], { inputs }, { rows }) => {
    const height = (inputs.x as tf.Tensor).shape[0] as number;
    const [dx] = runKernel(scatterAddRows, { dy: dy as tf.Tensor }, { rows, height });
    return { x: dx as tf.Tensor };
  },
  differentiable: ["x"],
  cases: [
    {
      title: "some rows, one twice",
      inputs: { x: { shape: [9, 41] } },
      attrs: { rows: Int32Array.of(8, 0, 3, 3, 5, 1, 7) },
    },
    { title: "one row", inputs: { x: { shape: [1, 7] } }, attrs: { rows: Int32Array.of(0) } },
    {
      title: "large and tiny values",
      inputs: { x: { shape: [3, 2], values: [1e3, -1e3, 1e-12, -1e-12, 0, 1] } },
      attrs: { rows: Int32Array.of(2, 1, 0) },
    },
    { title: "no rows", inputs: { x: { shape: [9, 7] } }, attrs: { rows: new Int32Array(0) } },
  ],
  // A copy.
  tolerance: { absolute: 0, relative: 0 },
};

/**
 * `out[r] = Σ_{i : rows_i = r} dy_i`, and 0 where no row points to. n rows of width D: `dy` `[n, D]`,
 * output `[height, D]`. Costs O(n + height) rows, not n × height.
 */
export const scatterAddRows: KernelContract<"dy", ScatterAddRowsAttrs> = {
  name: "BasicScatterAddRows",
  inputs: ["dy"],
  infer: ({ dy }, { rows, height }) => {
    const { D } = bindShapes("scatterAddRows", { dy: ["ND", dy], rows: ["N", [rows.length]] });
    const [where, name, target] = ["scatterAddRows", "`rows`", "the output"] as const;
    checkIndices({ where, name, values: rows, limit: height, target });
    return [[height, D as number]];
  },
  reference: ({ dy }, { rows, height }) => [tf.tidy(() => scatterRows(dy, rows, height))],
  save: { inputs: [], outputs: [false] },
  gradient: null,
  differentiable: [],
  cases: [
    {
      title: "rows that meet, rows that are skipped, rows that get nothing",
      inputs: { dy: { shape: [7, 41] } },
      attrs: { rows: Int32Array.of(8, 0, 3, 3, -1, 3, -7), height: 9 },
    },
    {
      title: "one row",
      inputs: { dy: { shape: [1, 7] } },
      attrs: { rows: Int32Array.of(0), height: 1 },
    },
    {
      title: "every row skipped",
      inputs: { dy: { shape: [2, 7] } },
      attrs: { rows: Int32Array.of(-1, -1), height: 3 },
    },
    {
      title: "no rows",
      inputs: { dy: { shape: [0, 7] } },
      attrs: { rows: new Int32Array(0), height: 3 },
    },
  ],
  // One rounding of 6e-8 for each row that meets another.
  tolerance: { absolute: 1e-7, relative: 1e-6 },
};

/** `x[rows]` out of stock ops; an empty `rows` gives `[0, D]`. */
export function gatherRows(x: tf.Tensor, rows: Int32Array): tf.Tensor {
  if (rows.length === 0) return tf.zeros([0, x.shape[1] as number]);
  return tf.tidy(() => tf.gather(x, tf.tensor1d(rows, "int32")));
}

function scatterRows(dy: tf.Tensor, rows: Int32Array, height: number): tf.Tensor {
  const kept = Int32Array.from(rows.keys()).filter((row) => (rows[row] as number) >= 0);
  const width = dy.shape[1] as number;
  if (kept.length === 0) return tf.zeros([height, width]);
  const targets = kept.map((row) => rows[row] as number);
  const indices = tf.tensor2d(targets, [kept.length, 1], "int32");
  return tf.scatterND(indices, gatherRows(dy, kept), [height, width]);
}
