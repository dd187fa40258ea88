import * as tf from "@tensorflow/tfjs-core";

import { detach } from "../autodiff.js";
import { supervisedDepth } from "./layer-weights.js";
import type { VisualLoss, VisualLossResult, VisualSpan, VisualView } from "./visual-loss.js";
import { checkFeatures, checkSpans, needed, sampleMeanWeights, tidyLoss, unitRows } from "./visual-rows.js";

/**
 * Keeps which patches resemble each other, as the encoder sees it, in the middle of the LLM.
 *
 * ```text
 * L = mean_j mean_m ( cos(V^b_j, V^b_m) − cos(f_j, f_m) )²,   j, m in the same image, b = l / 2, f constant
 * ```
 *
 * The Gram form of VIRAL (arXiv 2509.07979). Mean over the visual rows of a sample, sum over samples
 * (method.md, neighbours): images of a sample count by their rows.
 */
export function createViralGramLoss(): VisualLoss {
  return {
    name: "viral-gram",
    needs: { block: supervisedDepth, features: true },
    compute: (view) => tidyLoss(() => compute(view)),
  };
}

function compute(view: VisualView): VisualLossResult {
  checkSpans(view, "viral-gram");
  if (view.images.length === 0) return { sum: tf.scalar(0) };
  const block = needed(view, "block", "viral-gram");
  const features = needed(view, "features", "viral-gram");
  checkFeatures(block, features, "viral-gram");
  const rows = unitRows(block);
  const wanted = unitRows(detach(features));
  const terms = tf.concat(
    view.images.map((image) => {
      const difference = tf.sub(gram(rows, image), gram(wanted, image)); // [n, n]
      return tf.mul(tf.sum(tf.square(difference), 1), 1 / image.length) as tf.Tensor1D;
    }),
  );
  const sum = tf.sum(tf.mul(terms, tf.tensor1d(sampleMeanWeights(view.images)))) as tf.Scalar;
  return { sum, perRow: detach(terms) };
}

function gram(rows: tf.Tensor2D, { start, length }: VisualSpan): tf.Tensor2D {
  const image = tf.slice(rows, [start, 0], [length, -1]);
  return tf.matMul(image, image, false, true);
}
