import * as tf from "@tensorflow/tfjs-core";

import { detach } from "../autodiff.js";
import { BasicError } from "../errors.js";
import type { VisualLoss, VisualLossResult, VisualView } from "./visual-loss.js";
import { checkSpans, needed, sampleMeanWeights, tidyLoss } from "./visual-rows.js";

/** Options of {@link createSmoothL1Loss}. */
export interface SmoothL1Options {
  /** Where the square turns into a line. Default 1. */
  readonly delta?: number;
  /** Whether the refined embeddings are constant. Default true. */
  readonly stopGradient?: boolean;
}

/**
 * Huber distance to the refined embedding: direction and length.
 *
 * ```text
 * L = mean_j Σ_d Huber_δ(v_jd − v̂_jd) / D,   Huber_δ(x) = x²/2 where |x| ≤ δ, else δ(|x| − δ/2)
 * ```
 *
 * Mean over the visual rows of a sample, sum over samples (method.md, neighbours).
 */
export function createSmoothL1Loss(options: SmoothL1Options = {}): VisualLoss {
  const { delta = 1, stopGradient = true } = options;
  if (!(delta > 0)) {
    throw new BasicError(
      "E_CONFIG",
      `smooth-l1: \`delta\` must be greater than 0, got ${delta}. Leave it out for 1.`,
    );
  }
  return {
    name: "smooth-l1",
    needs: { refined: true, refinedGradient: !stopGradient },
    compute: (view) => tidyLoss(() => compute(view, delta, stopGradient)),
  };
}

function compute(view: VisualView, delta: number, stopGradient: boolean): VisualLossResult {
  checkSpans(view, "smooth-l1");
  if (view.images.length === 0) return { sum: tf.scalar(0) };
  const refined = needed(view, "refined", "smooth-l1");
  const difference = tf.sub(view.initial, stopGradient ? detach(refined) : refined);
  // c (x − c/2) is both branches at once: c = x inside, c = ±δ outside.
  const clipped = tf.clipByValue(difference, -delta, delta);
  const huber = tf.mul(clipped, tf.sub(difference, tf.mul(clipped, 0.5)));
  const terms = tf.mul(tf.sum(huber, 1), 1 / (view.initial.shape[1] as number)) as tf.Tensor1D;
  const sum = tf.sum(tf.mul(terms, tf.tensor1d(sampleMeanWeights(view.images)))) as tf.Scalar;
  return { sum, perRow: detach(terms) };
}
