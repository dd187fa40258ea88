import type * as tf from "@tensorflow/tfjs-core";

import { embedding } from "../kernels/embedding.js";
import { rowGather } from "../kernels/row-gather.js";
import { runKernel } from "../kernels/run.js";
import { splice } from "../kernels/splice.js";

/** Rows of a table `[V, D]` by id: `[R, D]`. */
export function embed(table: tf.Tensor2D, ids: Int32Array): tf.Tensor2D {
  return runKernel(embedding, { table }, { ids })[0] as tf.Tensor2D;
}

/** Like {@link embed}, where id `-1 - n` stands for row n of `visual` `[N, D]`. */
export function spliceRows(table: tf.Tensor2D, visual: tf.Tensor2D, ids: Int32Array): tf.Tensor2D {
  return runKernel(splice, { table, visual }, { ids })[0] as tf.Tensor2D;
}

/** Rows of `x` `[R, D]` by number: `[n, D]`. */
export function gatherRows(x: tf.Tensor2D, rows: Int32Array): tf.Tensor2D {
  return runKernel(rowGather, { x }, { rows })[0] as tf.Tensor2D;
}
