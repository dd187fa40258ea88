import * as tf from "@tensorflow/tfjs-core";

import { detach } from "../autodiff.js";
import { linearBias } from "../kernels/linear.js";
import { runKernel } from "../kernels/run.js";
import { Parameter, ParameterSet } from "../parameters.js";
import { createRandom, type Random } from "../random.js";
import { supervisedDepth } from "./layer-weights.js";
import type { VisualLoss, VisualLossResult, VisualView } from "./visual-loss.js";
import { checkFeatures, checkSpans, needed, sampleMeanWeights, tidyLoss, unitRows } from "./visual-rows.js";

/** Widest hidden layer of the map. */
const LARGEST_HIDDEN = 2048;

/** Options of {@link createViralCosLoss}. */
export interface ViralCosOptions {
  /** LLM width D. */
  readonly width: number;
  /** Width of the encoder's features. */
  readonly featureWidth: number;
  /** Source of the map's first values. Default: seed 0. */
  readonly random?: Random;
}

/**
 * Keeps the encoder's features readable in the middle of the LLM, after VIRAL (arXiv 2509.07979).
 *
 * ```text
 * L = mean_j 1 − cos( MLP(V^m_j), f_j ),   m = l / 2, f constant
 * ```
 *
 * The MLP has one hidden layer of min(2048, 4 D) with SiLU. Mean over the visual rows of a sample, sum over
 * samples (method.md, neighbours). The paper's weight is 0.5.
 */
export function createViralCosLoss({
  width,
  featureWidth,
  random = createRandom(0, "viral-cos"),
}: ViralCosOptions): VisualLoss {
  const hidden = Math.min(LARGEST_HIDDEN, 4 * width);
  const parameters = new ParameterSet();
  addLinear(parameters, "viral-cos.0", [hidden, width], random);
  addLinear(parameters, "viral-cos.1", [featureWidth, hidden], random);
  return {
    name: "viral-cos",
    needs: { block: supervisedDepth, features: true },
    parameters,
    compute: (view) => tidyLoss(() => compute(view, parameters)),
  };
}

/** As PyTorch starts a linear layer: uniform in ±1/√(inputs). */
function addLinear(set: ParameterSet, name: string, shape: readonly [number, number], random: Random): void {
  const [outputs, inputs] = shape;
  const bound = 1 / Math.sqrt(inputs);
  const weight = random.fillUniform(new Float32Array(outputs * inputs), -bound, bound);
  const bias = random.fillUniform(new Float32Array(outputs), -bound, bound);
  set.add(new Parameter(`${name}.weight`, weight, shape));
  set.add(new Parameter(`${name}.bias`, bias, [outputs]));
}

function compute(view: VisualView, parameters: ParameterSet): VisualLossResult {
  checkSpans(view, "viral-cos");
  if (view.images.length === 0) return { sum: tf.scalar(0) };
  const block = needed(view, "block", "viral-cos");
  const features = needed(view, "features", "viral-cos");
  checkFeatures(block, features, "viral-cos");
  const layer = (x: tf.Tensor, name: string, activation: "silu" | "none"): tf.Tensor2D =>
    runKernel(
      linearBias,
      { x, weight: parameters.get(`${name}.weight`).value, bias: parameters.get(`${name}.bias`).value },
      { activation },
    )[0] as tf.Tensor2D;
  const mapped = layer(layer(block, "viral-cos.0", "silu"), "viral-cos.1", "none");
  const cosine = tf.sum(tf.mul(unitRows(mapped), unitRows(detach(features))), 1);
  const terms = tf.sub(1, cosine) as tf.Tensor1D;
  const sum = tf.sum(tf.mul(terms, tf.tensor1d(sampleMeanWeights(view.images)))) as tf.Scalar;
  return { sum, perRow: detach(terms) };
}
