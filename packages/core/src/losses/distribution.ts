import * as tf from "@tensorflow/tfjs-core";

import { detach, willNeedGradient } from "../autodiff.js";
import { DEFAULT_CHUNK_BYTES } from "../kernels/chunks.js";
import { linearKl } from "../kernels/linear-kl.js";
import { runKernel } from "../kernels/run.js";
import { patchWeightsOf, readsAttention } from "./patch-weights.js";
import type { Normalise, VisualLoss, VisualLossResult, VisualView } from "./visual-loss.js";
import { checkSpans, needed, tidyLoss } from "./visual-rows.js";

/** Whose rows are the words: the stored input embedding table, or the LM head. */
export type VocabularySource = "input" | "head";

/** Options of {@link createDistributionLoss}. */
export interface DistributionOptions {
  /** Scale of the patch weights. Default `none`: as the paper prints them. */
  readonly normalise?: Normalise;
  /** Whether the refined embeddings are constant. Default true. */
  readonly stopGradient?: boolean;
  /** Default `input`. */
  readonly vocabulary?: VocabularySource;
  /** Largest block of logits held at once, in bytes. */
  readonly chunkBytes?: number;
}

/**
 * Semantic distribution of BASIC (SDS): each visual embedding should mean the words that its refined twin means.
 *
 * ```text
 * L_sds = Σ_j a_j KL( softmax(v̂_j Eᵀ) ‖ softmax(v_j Eᵀ) )
 * ```
 *
 * Source: BASIC (arXiv:2508.06895), equation 7; method.md, 6. E is constant here, without softcap or bias.
 * No N × V array is stored. The result is the sum over the samples of the micro-batch; `perRow` are the
 * divergences without `a_j`.
 */
export function createDistributionLoss(options: DistributionOptions = {}): VisualLoss {
  const { normalise = "none", stopGradient = true, vocabulary = "input" } = options;
  return {
    name: "distribution",
    needs: {
      refined: true,
      refinedGradient: !stopGradient,
      patchWeights: readsAttention(normalise),
      vocabulary: vocabulary === "input",
    },
    compute: (view) => tidyLoss(() => compute(view, options)),
  };
}

function compute(view: VisualView, options: DistributionOptions): VisualLossResult {
  const { normalise = "none", stopGradient = true, vocabulary = "input" } = options;
  checkSpans(view, "distribution");
  if (view.images.length === 0) return { sum: tf.scalar(0) };
  const refined = needed(view, "refined", "distribution");
  const table =
    vocabulary === "input"
      ? needed(view, "vocabulary", "distribution")
      : needed(view, "head", "distribution").weight;
  const [loss, divergence] = runKernel(
    linearKl,
    {
      v: view.initial,
      r: stopGradient ? detach(refined) : refined,
      vocabulary: detach(table),
      a: patchWeightsOf(view, normalise),
    },
    {
      chunkBytes: options.chunkBytes ?? DEFAULT_CHUNK_BYTES,
      withSlope: stopGradient && willNeedGradient(view.initial),
    },
  ) as [tf.Tensor1D, tf.Tensor1D];
  return { sum: tf.sum(loss) as tf.Scalar, perRow: detach(divergence) };
}
