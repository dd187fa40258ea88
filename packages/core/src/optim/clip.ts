import * as tf from "@tensorflow/tfjs-core";

import { runKernel } from "../kernels/run.js";
import { squaredNorm } from "../kernels/squared-norm.js";

/** Keeps the division finite; PyTorch's constant. */
const NORM_EPSILON = 1e-6;

/**
 * Euclidean norm of all tensors together, on the device: a scalar `[]`, not read back.
 *
 * @param tensors - At least one, any shapes.
 */
export function globalNorm(tensors: readonly tf.Tensor[]): tf.Scalar {
  return tf.tidy(() => {
    const inputs = Object.fromEntries(tensors.map((tensor, i) => [`x${i}` as const, tensor]));
    return tf.sqrt(runKernel(squaredNorm, inputs, {})[0] as tf.Scalar);
  });
}

/**
 * What gradients are multiplied by so that their norm is at most `maxNorm`: min(1, maxNorm / (norm + 1e-6)).
 *
 * As PyTorch's `clip_grad_norm_`, which needs no branch and so no readback.
 *
 * @param norm - Scalar `[]`.
 * @param maxNorm - 0 turns clipping off.
 */
export function clipFactor(norm: tf.Scalar, maxNorm: number): tf.Scalar {
  if (maxNorm === 0) return tf.scalar(1);
  return tf.tidy(() => tf.minimum(tf.scalar(1), tf.div(maxNorm, tf.add(norm, NORM_EPSILON))));
}
