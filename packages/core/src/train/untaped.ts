import * as tf from "@tensorflow/tfjs-core";

import { withoutTape } from "../autodiff.js";

/**
 * Runs `compute` outside of the tape: nothing is recorded, nothing is saved for a gradient.
 *
 * For frozen encoders, for losses that are logged only, and for diagnostics. Results are constants.
 */
export function untaped<T extends tf.TensorContainer>(compute: () => T): T {
  return withoutTape(() => tf.tidy(compute));
}
