import * as tf from "@tensorflow/tfjs-core";

/**
 * Runs `compute` outside of the tape: nothing is recorded, nothing is saved for a gradient.
 *
 * For frozen encoders, for losses that are logged only, and for diagnostics. Results are constants.
 */
export function untaped<T extends tf.TensorContainer>(compute: () => T): T {
  const { state } = tf.engine();
  const depth = state.gradientDepth;
  state.gradientDepth = 0;
  try {
    return tf.tidy(compute);
  } finally {
    state.gradientDepth = depth;
  }
}
