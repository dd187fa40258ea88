import type * as tf from "@tensorflow/tfjs-core";

import type { WebGpuBackend } from "../backend.js";
import type { Part } from "../dispatch.js";

/** Bindings start at multiples of 256 bytes. */
const ALIGNED = 64;

/** Neighbours in a longer row of them. */
export interface Run {
  readonly first: number;
  readonly count: number;
}

/**
 * Cuts `count` things into runs of at most `most`. All but the last have a multiple of `multiple`; where not even that many
 * are allowed, they have `multiple`.
 */
export function cut(count: number, most: number, multiple: number): readonly Run[] {
  const each = Math.max(multiple, Math.floor(most / multiple) * multiple);
  return Array.from({ length: Math.ceil(count / each) }, (_, i) => ({
    first: i * each,
    count: Math.min(each, count - i * each),
  }));
}

/** Things of `bytes` bytes that one binding holds. */
export function bindable(backend: WebGpuBackend, bytes: number): number {
  return Math.floor(backend.device.limits.maxStorageBufferBindingSize / Math.max(bytes, 1));
}

/** Runs of the rows of a matrix that fit in one binding, and that start where one may. */
export function rowRuns(backend: WebGpuBackend, rows: number, width: number): readonly Run[] {
  return cut(rows, bindable(backend, width * 4), ALIGNED);
}

/** Runs of the elements of a tensor that fit in one binding, in multiples of `multiple`: 64 or a multiple of it. */
export function elementRuns(
  backend: WebGpuBackend,
  { shape }: tf.TensorInfo,
  multiple = ALIGNED,
): readonly Run[] {
  return cut(sizeOf(shape), bindable(backend, 4), multiple);
}

/** Rows of a matrix as something to bind. */
export function rowsOf(tensor: tf.TensorInfo, { first, count }: Run, width: number): Part {
  return { tensor, offset: first * width, length: count * width };
}

/** Elements of a tensor as something to bind. */
export function elementsOf(tensor: tf.TensorInfo, run: Run): Part {
  return rowsOf(tensor, run, 1);
}

/** Number of elements of a shape. */
export function sizeOf(shape: readonly number[]): number {
  return shape.reduce((product, size) => product * size, 1);
}
