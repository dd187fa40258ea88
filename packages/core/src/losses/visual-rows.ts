import * as tf from "@tensorflow/tfjs-core";

import { detach } from "../autodiff.js";
import { BasicError } from "../errors.js";
import { formatShape } from "../shape.js";
import type { VisualLossResult, VisualSpan, VisualView } from "./visual-loss.js";

/** Shortest length that still counts as a direction. */
const MIN_NORM = 1e-12;

/**
 * The visual rows of each sample with an image: its images merged, in order.
 *
 * @param images - One span per image, samples ascending, rows without gaps.
 */
export function sampleSpans(images: readonly VisualSpan[]): readonly VisualSpan[] {
  const merged: VisualSpan[] = [];
  for (const image of images) {
    const last = merged.at(-1);
    if (last?.sample === image.sample) {
      merged[merged.length - 1] = { ...last, length: last.length + image.length };
    } else {
      merged.push(image);
    }
  }
  return merged;
}

/** Number of visual rows N of all images. */
export function rowCount(images: readonly VisualSpan[]): number {
  return images.reduce((rows, image) => rows + image.length, 0);
}

/** `[N]` on the host: 1 / (visual rows of the sample that the row belongs to). */
export function sampleMeanWeights(images: readonly VisualSpan[]): Float32Array {
  const weights = new Float32Array(rowCount(images));
  for (const { start, length } of sampleSpans(images)) weights.fill(1 / length, start, start + length);
  return weights;
}

/** A visual row and the next one of the same image. */
export interface SuccessorPairs {
  readonly rows: Int32Array;
  readonly next: Int32Array;
  /** 1 / (pairs of the sample): a weighted sum is the sum over samples of the mean over a sample's pairs. */
  readonly weights: Float32Array;
}

/** All pairs (j, j + 1) of visual rows in the same image. */
export function successorPairs(images: readonly VisualSpan[]): SuccessorPairs {
  const pairsOfSample = new Map<number, number>();
  for (const { sample, length } of images) {
    pairsOfSample.set(sample, (pairsOfSample.get(sample) ?? 0) + Math.max(0, length - 1));
  }
  const pairs = images.flatMap(({ sample, start, length }) =>
    Array.from({ length: Math.max(0, length - 1) }, (_, j) => ({ row: start + j, sample })),
  );
  return {
    rows: Int32Array.from(pairs, ({ row }) => row),
    next: Int32Array.from(pairs, ({ row }) => row + 1),
    weights: Float32Array.from(pairs, ({ sample }) => 1 / (pairsOfSample.get(sample) ?? 1)),
  };
}

/** Scales each row of `[R, D]` to length 1. A zero row stays zero and passes no gradient. */
export function unitRows(x: tf.Tensor2D): tf.Tensor2D {
  const squaredLength = tf.sum(tf.square(x), -1, true); // [R, 1]
  const isDirection = detach(tf.cast(tf.greater(squaredLength, MIN_NORM ** 2), "float32")); // [R, 1]
  const inverse = tf.rsqrt(tf.maximum(squaredLength, MIN_NORM ** 2));
  return tf.mul(x, tf.mul(inverse, isDirection)) as tf.Tensor2D;
}

/** The field of a view that a loss named in its needs. */
export function needed<Field extends "refined" | "vocabulary" | "head" | "hidden" | "block" | "features">(
  view: VisualView,
  field: Field,
  loss: string,
): NonNullable<VisualView[Field]> {
  const value = view[field];
  if (value === undefined) {
    throw new BasicError(
      "E_CONFIG",
      `${loss}: the view carries no \`${field}\`. Name it in \`needs\`, and observe it in the objective.`,
    );
  }
  return value;
}

/** Checks that the spans cover the rows of `initial` exactly. */
export function checkSpans(view: VisualView, loss: string): void {
  const rows = rowCount(view.images);
  if (view.initial.shape[0] !== rows) {
    throw new BasicError(
      "E_SHAPE",
      `${loss}: the images have ${rows} visual rows, but \`initial\` is ${formatShape(view.initial.shape)}.`,
    );
  }
}

/** Checks that there is one feature row per visual row: projectors that merge rows leave none to compare with. */
export function checkFeatures(block: tf.Tensor2D, features: tf.Tensor2D, loss: string): void {
  if (block.shape[0] === features.shape[0]) return;
  throw new BasicError(
    "E_SHAPE",
    `${loss}: the encoder gave ${features.shape[0]} feature rows, but the LLM sees ${block.shape[0]} visual rows. ` +
      "Use a projector that keeps the rows (linear, mlp2x_gelu), or leave this loss out.",
  );
}

/** `tf.tidy` for a loss: keeps its result, frees the rest. */
export function tidyLoss(compute: () => VisualLossResult): VisualLossResult {
  return tf.tidy(() => ({ ...compute() }));
}
