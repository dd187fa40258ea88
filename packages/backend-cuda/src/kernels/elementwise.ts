import type * as tf from "@tensorflow/tfjs-core";

/** `THREADS` and `PER_THREAD` of elementwise.cuh. */
export const ELEMENTWISE = { threads: 256, perThread: 4 } as const;

/** Number of elements of a tensor. */
export function sizeOf({ shape }: Pick<tf.TensorInfo, "shape">): number {
  return shape.reduce((product, size) => product * size, 1);
}

/** Blocks for `for_each_element` of elementwise.cuh. */
export function overElements(count: number): readonly [number] {
  return [Math.ceil(count / (ELEMENTWISE.threads * ELEMENTWISE.perThread))];
}
