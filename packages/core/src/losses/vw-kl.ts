import * as tf from "@tensorflow/tfjs-core";

import { detach } from "../autodiff.js";
import { DEFAULT_CHUNK_BYTES } from "../kernels/chunks.js";
import { linearKl } from "../kernels/linear-kl.js";
import { rowGather } from "../kernels/row-gather.js";
import { runKernel } from "../kernels/run.js";
import type { Head } from "../models/interfaces.js";
import type { VisualLoss, VisualLossResult, VisualView } from "./visual-loss.js";
import { checkSpans, needed, successorPairs, tidyLoss } from "./visual-rows.js";

/**
 * Next visual word, after VW-LMM (arXiv 2403.07720): the LLM's output foresees the words that the next row means.
 *
 * ```text
 * L = mean_j KL( softmax(v_{j+1} Eᵀ) ‖ softmax(h_j Headᵀ) )      j, j + 1 in the same image; v constant
 * ```
 *
 * `h` is the LLM's output after the final norm. E and the head are constant here: only `h` gets a gradient.
 * Mean over the pairs of a sample, sum over samples (method.md, neighbours). With an untied head one
 * `[V, 2 D]` copy of both matrices is made, so that both products run in one chunked kernel.
 */
export function createVwKlLoss(): VisualLoss {
  return {
    name: "vw-kl",
    needs: { hidden: true, vocabulary: true },
    compute: (view) => tidyLoss(() => compute(view)),
  };
}

function compute(view: VisualView): VisualLossResult {
  checkSpans(view, "vw-kl");
  const { rows, next, weights } = successorPairs(view.images);
  if (rows.length === 0) return { sum: tf.scalar(0) };
  const hidden = needed(view, "hidden", "vw-kl");
  const table = needed(view, "vocabulary", "vw-kl");
  const head = needed(view, "head", "vw-kl");
  const h = runKernel(rowGather, { x: hidden }, { rows })[0] as tf.Tensor2D;
  const words = runKernel(rowGather, { x: detach(view.initial) }, { rows: next })[0] as tf.Tensor2D;
  const loss = runKernel(
    linearKl,
    { ...sideBySide(h, words, table, head), a: tf.tensor1d(weights) },
    { chunkBytes: DEFAULT_CHUNK_BYTES },
  )[0] as tf.Tensor1D;
  return { sum: tf.sum(loss) as tf.Scalar };
}

/** Inputs of the kernel, which knows one matrix only: `[h, 0]` and `[0, words]` against `[head | table]`. */
function sideBySide(
  h: tf.Tensor2D,
  words: tf.Tensor2D,
  table: tf.Tensor2D,
  head: Head,
): { v: tf.Tensor2D; r: tf.Tensor2D; vocabulary: tf.Tensor2D } {
  if (head.weight.dataId === table.dataId) return { v: h, r: words, vocabulary: detach(table) };
  const nothing = tf.zerosLike(words);
  return {
    v: tf.concat([h, nothing], 1),
    r: tf.concat([nothing, words], 1),
    vocabulary: tf.concat([detach(head.weight), detach(table)], 1),
  };
}
