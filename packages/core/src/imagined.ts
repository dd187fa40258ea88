import * as tf from "@tensorflow/tfjs-core";

/**
 * Whether the current backend has only imagined its device (`imagine` of {@link startBackend}): tensors take memory, but
 * nobody reads the values that they are given.
 */
export function isDeviceImagined(): boolean {
  return (tf.backend() as Partial<{ readonly imagined: boolean }>).imagined === true;
}
