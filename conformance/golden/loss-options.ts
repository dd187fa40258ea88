import {
  createDirectionLoss,
  createDistributionLoss,
  type LayerWeightScheme,
  type Normalise,
  type VisualLoss,
} from "@basic-mllm/core";
import * as tf from "@tensorflow/tfjs-core";

import type { GoldenCase } from "./golden-case.js";

/** Options as the goldens spell them. */
export interface LossOptions {
  readonly scheme: LayerWeightScheme;
  readonly normalize: Normalise;
  readonly stop_gradient: boolean;
}

/** Reads the options of a case. */
export function lossOptionsOf(golden: GoldenCase): LossOptions {
  return golden.options<LossOptions>("options", ["scheme", "normalize", "stop_gradient"]);
}

/** Both losses with the options of a case. */
export function lossesOf(options: LossOptions): { readonly das: VisualLoss; readonly sds: VisualLoss } {
  const common = { normalise: options.normalize, stopGradient: options.stop_gradient };
  return { das: createDirectionLoss(common), sds: createDistributionLoss(common) };
}

/** v̂ from `[k, N, D]`, as the decoder accumulates it. */
export function refine(hidden: tf.Tensor3D, weights: readonly number[]): tf.Tensor2D {
  const [, N, D] = hidden.shape;
  return weights
    .map(
      (weight, i) =>
        tf.mul(tf.reshape(tf.slice(hidden, [i, 0, 0], [1, N, D]), [N, D]), weight) as tf.Tensor2D,
    )
    .reduce((sum, term) => tf.add(sum, term));
}
