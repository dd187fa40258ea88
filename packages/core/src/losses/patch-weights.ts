import * as tf from "@tensorflow/tfjs-core";

import { detach } from "../autodiff.js";
import { BasicError } from "../errors.js";
import { bindShapes } from "../shape.js";
import type { Normalise, VisualSpan, VisualView } from "./visual-loss.js";
import { rowCount, sampleMeanWeights, sampleSpans } from "./visual-rows.js";

/**
 * Patch weights `a_j` that a loss multiplies its rows by, from the raw attention shares (method.md, 4 and 10).
 *
 * ```text
 * none     a_j                    Σ_j a_j = share of the attention that goes to the image
 * sum      a_j / Σ a              Σ_j a_j = 1;  1 / N where all are 0
 * mean     a_j · N / Σ a          mean is 1;    1 where all are 0
 * uniform  1 / N                  needs no raw weights
 * ```
 *
 * Sums run over all visual rows of a sample, all its images together; N is their number.
 *
 * @param raw - `[N]` over all samples, as the decoder observed them; unused by `uniform`.
 * @param images - One span per image.
 * @returns `[N]`, detached; the caller disposes it.
 * @throws {@link BasicError} `E_SHAPE` when `raw` has another length, `E_CONFIG` when it is missing.
 */
export function normalisePatchWeights(
  raw: tf.Tensor1D | undefined,
  images: readonly VisualSpan[],
  mode: Normalise,
): tf.Tensor1D {
  if (mode === "uniform") return tf.tensor1d(sampleMeanWeights(images));
  if (raw === undefined) {
    throw new BasicError(
      "E_CONFIG",
      `normalisePatchWeights: "${mode}" needs the attention that each visual row received, and the view has none. ` +
        'Set `needs.patchWeights`, or use the mode "uniform".',
    );
  }
  bindShapes("normalisePatchWeights", { images: ["N", [rowCount(images)]], raw: ["N", raw.shape] });
  if (mode === "none" || images.length === 0) return detach(raw);
  return tf.tidy(() => detach(scaleBySample(detach(raw), images, mode)));
}

/** Whether a mode reads the attention of the decoder. */
export function readsAttention(mode: Normalise): boolean {
  return mode !== "uniform";
}

/** {@link normalisePatchWeights} of a view. */
export function patchWeightsOf(view: VisualView, mode: Normalise): tf.Tensor1D {
  return normalisePatchWeights(view.patchWeights, view.images, mode);
}

function scaleBySample(raw: tf.Tensor1D, images: readonly VisualSpan[], mode: "sum" | "mean"): tf.Tensor1D {
  const spans = sampleSpans(images);
  const lengths = spans.map(({ length }) => length);
  const members = tf.tensor2d(membership(spans, raw.size), [spans.length, raw.size]); // [S, N]
  const sums = tf.matMul(members, tf.reshape(raw, [raw.size, 1])); // [S, 1]
  const positive = tf.cast(tf.greater(sums, 0), "float32");
  const absent = tf.sub(1, positive);
  const target = tf.tensor2d(mode === "sum" ? lengths.map(() => 1) : lengths, [spans.length, 1]);
  const fallback = tf.tensor2d(mode === "sum" ? lengths.map((n) => 1 / n) : lengths.map(() => 1), [
    spans.length,
    1,
  ]);
  const scale = tf.div(tf.mul(target, positive), tf.add(sums, absent));
  const perRow = (values: tf.Tensor): tf.Tensor1D =>
    tf.reshape(tf.matMul(members, values as tf.Tensor2D, true), [raw.size]);
  return tf.add(tf.mul(raw, perRow(scale)), perRow(tf.mul(fallback, absent)));
}

/** `[S, N]`: 1 where the row belongs to the sample. */
function membership(spans: readonly VisualSpan[], rows: number): Float32Array {
  const values = new Float32Array(spans.length * rows);
  for (const [s, { start, length }] of spans.entries()) {
    values.fill(1, s * rows + start, s * rows + start + length);
  }
  return values;
}
