import * as tf from "@tensorflow/tfjs-core";

import { willNeedGradient } from "../autodiff.js";
import { BasicError } from "../errors.js";
import { DEFAULT_CHUNK_BYTES } from "../kernels/chunks.js";
import { IGNORED_LABEL, linearCrossEntropy } from "../kernels/linear-cross-entropy.js";
import { rowGather } from "../kernels/row-gather.js";
import { runKernel } from "../kernels/run.js";
import type { Head, PackedRows } from "../models/interfaces.js";

/** What {@link languageLoss} reads of a packed batch. */
export type LabelledRows = Pick<PackedRows, "labels" | "labelWeights">;

/**
 * Cross entropy of the next token, summed over the supervised rows.
 *
 * ```text
 * L_lm = Σ_r weight_r · −log softmax(h_r Headᵀ)[label_r]      over rows whose label is not −100
 * ```
 *
 * Supervised rows are gathered before the vocabulary product, which runs in chunks: no R × V array is stored.
 *
 * @param hidden - LLM output after the final norm, `[R, D]`.
 * @param head - `[V, D]` and its softcap; gets a gradient where it is trainable.
 * @param rows - Labels `[R]`, shifted by the packer, and optional weights `[R]`.
 * @returns Scalar `[]`; 0 where nothing is supervised.
 * @throws {@link BasicError} `E_SHAPE` when the lengths disagree, `E_INDEX_RANGE` for a label outside of V.
 */
export function languageLoss(hidden: tf.Tensor2D, head: Head, rows: LabelledRows): tf.Scalar {
  const supervised = supervisedRows(hidden, head, rows);
  if (supervised.length === 0) return tf.scalar(0);
  return tf.tidy(() => {
    const x = runKernel(rowGather, { x: hidden }, { rows: supervised })[0] as tf.Tensor2D;
    const labels = supervised.map((row) => rows.labels[row] as number);
    const loss = runKernel(
      linearCrossEntropy,
      { x, weight: head.weight },
      { labels, softcap: head.softcap, chunkBytes: DEFAULT_CHUNK_BYTES, withSlope: willNeedGradient(x) },
    )[0] as tf.Tensor1D;
    const { labelWeights } = rows;
    if (labelWeights === undefined) return tf.sum(loss) as tf.Scalar;
    const weights = Float32Array.from(supervised, (row) => labelWeights[row] as number);
    return tf.sum(tf.mul(loss, tf.tensor1d(weights))) as tf.Scalar;
  });
}

/** Supervised tokens of a batch: how many, or their summed weights. What the language loss is divided by. */
export function supervisedTokens({ labels, labelWeights }: LabelledRows): number {
  return labels.reduce(
    (sum, label, row) => (label === IGNORED_LABEL ? sum : sum + (labelWeights?.[row] ?? 1)),
    0,
  );
}

function supervisedRows(hidden: tf.Tensor2D, head: Head, { labels, labelWeights }: LabelledRows): Int32Array {
  const [height] = hidden.shape;
  for (const [name, given] of Object.entries({ labels, labelWeights })) {
    if (given !== undefined && given.length !== height) {
      throw new BasicError(
        "E_SHAPE",
        `languageLoss: \`${name}\` has ${given.length} entries, but the LLM gave ${height} rows. Pack labels and ids together.`,
      );
    }
  }
  const [vocabulary] = head.weight.shape;
  const supervised: number[] = [];
  for (const [row, label] of labels.entries()) {
    if (label === IGNORED_LABEL) continue;
    if (label < 0 || label >= vocabulary) {
      throw new BasicError(
        "E_INDEX_RANGE",
        `languageLoss: row ${row} has label ${label}, expected 0 to ${vocabulary - 1} or -100 (ignored). ` +
          "Use the tokenizer that belongs to this language model.",
      );
    }
    if (labelWeights === undefined || labelWeights[row] !== 0) supervised.push(row);
  }
  return Int32Array.from(supervised);
}
