import type * as tf from "@tensorflow/tfjs-core";

/** Values of the host as elements of a device: four bytes each, whatever the array that tfjs hands over. */
export function asWords(
  values: Float32Array | Int32Array | Uint8Array,
  dtype: tf.DataType,
): Float32Array | Int32Array {
  if (dtype === "float32") return values instanceof Float32Array ? values : Float32Array.from(values);
  return values instanceof Int32Array ? values : Int32Array.from(values);
}
