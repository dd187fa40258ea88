import type * as tf from "@tensorflow/tfjs-core";

/** Whether the device holds elements of a type. */
export function isNumeric(dtype: tf.DataType): dtype is "float32" | "int32" | "bool" {
  return dtype === "float32" || dtype === "int32" || dtype === "bool";
}

/** Of a tensor of this shape. */
export function bytesOf(shape: readonly number[]): number {
  return 4 * shape.reduce((product, size) => product * size, 1);
}

/** The bytes of a host array. */
export function bytesOfArray({ buffer, byteOffset, byteLength }: ArrayBufferView): Uint8Array {
  return new Uint8Array(buffer, byteOffset, byteLength);
}
