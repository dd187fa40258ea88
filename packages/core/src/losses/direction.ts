import * as tf from "@tensorflow/tfjs-core";

import { detach } from "../autodiff.js";
import { direction } from "../kernels/direction.js";
import { runKernel } from "../kernels/run.js";
import { patchWeightsOf, readsAttention } from "./patch-weights.js";
import type { Normalise, VisualLoss, VisualLossResult, VisualView } from "./visual-loss.js";
import { checkSpans, needed, tidyLoss } from "./visual-rows.js";

/** Options of {@link createDirectionLoss}. */
export interface DirectionOptions {
  /** Scale of the patch weights. Default `none`: as the paper prints them. */
  readonly normalise?: Normalise;
  /** Whether the refined embeddings are constant. Default true. */
  readonly stopGradient?: boolean;
}

/**
 * Direction alignment of BASIC (DAS): turns each visual embedding towards its refined twin.
 *
 * ```text
 * L_das = Σ_j a_j ‖ v_j/|v_j| − v̂_j/|v̂_j| ‖²
 * ```
 *
 * Source: BASIC (arXiv:2508.06895), equation 6; method.md, 5. A zero row counts 1 and passes no gradient.
 * The result is the sum over the samples of the micro-batch; `perRow` are the terms without `a_j`.
 */
export function createDirectionLoss(options: DirectionOptions = {}): VisualLoss {
  const { normalise = "none", stopGradient = true } = options;
  return {
    name: "direction",
    needs: { refined: true, refinedGradient: !stopGradient, patchWeights: readsAttention(normalise) },
    compute: (view) => tidyLoss(() => compute(view, normalise, stopGradient)),
  };
}

function compute(view: VisualView, normalise: Normalise, stopGradient: boolean): VisualLossResult {
  checkSpans(view, "direction");
  if (view.images.length === 0) return { sum: tf.scalar(0) };
  const refined = needed(view, "refined", "direction");
  const r = stopGradient ? detach(refined) : refined;
  // Unweighted terms serve the report; a_j is constant, so multiplying afterwards is the same loss.
  const a = tf.ones([view.initial.shape[0]]);
  const terms = runKernel(direction, { v: view.initial, r, a }, {})[0] as tf.Tensor1D;
  const sum = tf.sum(tf.mul(patchWeightsOf(view, normalise), terms)) as tf.Scalar;
  return { sum, perRow: detach(terms) };
}
