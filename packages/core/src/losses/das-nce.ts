import * as tf from "@tensorflow/tfjs-core";

import { detach, willNeedGradient } from "../autodiff.js";
import { BasicError } from "../errors.js";
import { DEFAULT_CHUNK_BYTES } from "../kernels/chunks.js";
import { linearCrossEntropy } from "../kernels/linear-cross-entropy.js";
import { runKernel } from "../kernels/run.js";
import { patchWeightsOf, readsAttention } from "./patch-weights.js";
import type { Normalise, VisualLoss, VisualLossResult, VisualSpan, VisualView } from "./visual-loss.js";
import { checkSpans, needed, rowCount, sampleSpans, tidyLoss, unitRows } from "./visual-rows.js";

/** Which other rows a row must be told apart from. */
export type Negatives = "micro-batch" | "sample";

/** Options of {@link createDasNceLoss}. */
export interface DasNceOptions {
  /** Temperature. Default 0.1. */
  readonly tau?: number;
  /** Default `micro-batch`: the one loss that depends on how a batch is split. */
  readonly negatives?: Negatives;
  /** Default `sum`. */
  readonly normalise?: Normalise;
  /** Whether the refined embeddings are constant. Default true. */
  readonly stopGradient?: boolean;
}

/**
 * Contrastive direction alignment: a visual embedding points to its own refined twin more than to others.
 *
 * ```text
 * L = Σ_j a_j · −log softmax_m( cos(v_j, v̂_m) / τ )[m = j]
 * ```
 *
 * Ours (method.md, neighbours): direction alignment alone is least when all rows share one direction;
 * telling rows apart prevents that. A usual weight is 0.1. `perRow` are the terms without `a_j`.
 */
export function createDasNceLoss(options: DasNceOptions = {}): VisualLoss {
  const { tau = 0.1, normalise = "sum", stopGradient = true } = options;
  if (!(tau > 0)) {
    throw new BasicError(
      "E_CONFIG",
      `das-nce: \`tau\` must be greater than 0, got ${tau}. Leave it out for 0.1.`,
    );
  }
  return {
    name: "das-nce",
    needs: { refined: true, refinedGradient: !stopGradient, patchWeights: readsAttention(normalise) },
    compute: (view) => tidyLoss(() => compute(view, options)),
  };
}

function compute(view: VisualView, options: DasNceOptions): VisualLossResult {
  const { tau = 0.1, negatives = "micro-batch", normalise = "sum", stopGradient = true } = options;
  checkSpans(view, "das-nce");
  if (view.images.length === 0) return { sum: tf.scalar(0) };
  const refined = needed(view, "refined", "das-nce");
  const rows = tf.mul(unitRows(view.initial), 1 / tau) as tf.Tensor2D;
  const twins = unitRows(stopGradient ? detach(refined) : refined);
  const terms = tf.concat(groups(view.images, negatives).map((span) => ownTwin(rows, twins, span)));
  const sum = tf.sum(tf.mul(patchWeightsOf(view, normalise), terms)) as tf.Scalar;
  return { sum, perRow: detach(terms) as tf.Tensor1D };
}

function groups(images: readonly VisualSpan[], negatives: Negatives): readonly VisualSpan[] {
  return negatives === "sample" ? sampleSpans(images) : [{ sample: 0, start: 0, length: rowCount(images) }];
}

/** `[length]`: −log softmax over the twins of the span, at each row's own twin; no length × length array. */
function ownTwin(rows: tf.Tensor2D, twins: tf.Tensor2D, { start, length }: VisualSpan): tf.Tensor1D {
  // Alone there is nothing to be told apart from.
  if (length === 1) return tf.zeros([1]);
  const x = tf.slice(rows, [start, 0], [length, -1]);
  const weight = tf.slice(twins, [start, 0], [length, -1]);
  const labels = Int32Array.from({ length }, (_, j) => j);
  return runKernel(
    linearCrossEntropy,
    { x, weight },
    { labels, softcap: 0, chunkBytes: DEFAULT_CHUNK_BYTES, withSlope: willNeedGradient(x) },
  )[0] as tf.Tensor1D;
}
