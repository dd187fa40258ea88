import * as tf from "@tensorflow/tfjs-core";

import { detach } from "../autodiff.js";
import { type LinearAttrs, linear } from "../kernels/linear.js";
import { rowGather } from "../kernels/row-gather.js";
import { runKernel } from "../kernels/run.js";
import { Parameter, ParameterSet } from "../parameters.js";
import { createRandom, type Random } from "../random.js";
import type { VisualLoss, VisualLossResult, VisualView } from "./visual-loss.js";
import { checkSpans, needed, successorPairs, tidyLoss } from "./visual-rows.js";

const PLAIN: LinearAttrs = { activation: "none" };

/** Options of {@link createEmuL2Loss}. */
export interface EmuL2Options {
  /** LLM width D. */
  readonly width: number;
  /** Source of the map's first values. Default: seed 0. */
  readonly random?: Random;
}

/**
 * Regression of the next visual embedding, after Emu: the LLM's output foresees the next row of the image.
 *
 * ```text
 * L = mean_j ‖ W h_j − v_{j+1} ‖² / D      j, j + 1 in the same image; v constant
 * ```
 *
 * `h` is the LLM's output after the final norm, `W` a trainable D × D map that starts uniform in ±1/√D.
 * Mean over the pairs of a sample, sum over samples (method.md, neighbours). An image of one row has no pair.
 */
export function createEmuL2Loss({ width, random = createRandom(0, "emu-l2") }: EmuL2Options): VisualLoss {
  const parameters = new ParameterSet();
  const bound = 1 / Math.sqrt(width);
  const values = random.fillUniform(new Float32Array(width * width), -bound, bound);
  const map = parameters.add(new Parameter("emu-l2.weight", values, [width, width]));
  return {
    name: "emu-l2",
    needs: { hidden: true },
    parameters,
    compute: (view) => tidyLoss(() => compute(view, map)),
  };
}

function compute(view: VisualView, map: Parameter): VisualLossResult {
  checkSpans(view, "emu-l2");
  const { rows, next, weights } = successorPairs(view.images);
  if (rows.length === 0) return { sum: tf.scalar(0) };
  const hidden = needed(view, "hidden", "emu-l2");
  const x = runKernel(rowGather, { x: hidden }, { rows })[0] as tf.Tensor2D;
  const target = runKernel(rowGather, { x: detach(view.initial) }, { rows: next })[0] as tf.Tensor2D;
  const foreseen = runKernel(linear, { x, weight: map.value }, PLAIN)[0] as tf.Tensor2D;
  const squares = tf.sum(tf.square(tf.sub(foreseen, target)), 1);
  const perPair = tf.mul(squares, 1 / (view.initial.shape[1] as number));
  return { sum: tf.sum(tf.mul(perPair, tf.tensor1d(weights))) as tf.Scalar };
}
