import * as tf from "@tensorflow/tfjs-core";

import { BACKEND_NAME, type CpuBackend } from "../backend.js";

/** A call of a stock kernel. */
interface Call<Input extends string, Attrs extends object> {
  readonly inputs: Readonly<Record<Input, tf.TensorInfo>>;
  readonly attrs: Attrs;
  readonly backend: CpuBackend;
}

/** What a native body returns for a call that it does not handle, e.g. one with integers. */
export const UNHANDLED = undefined;

type Result = tf.TensorInfo | tf.TensorInfo[] | typeof UNHANDLED;

/** Replaces the JavaScript kernel of a stock operation. Calls that `run` does not handle still go there. */
export function override<Input extends string, Attrs extends object = object>(
  name: string,
  run: (call: Call<Input, Attrs>) => Result,
): void {
  const stock = tf.getKernel(name, BACKEND_NAME);
  tf.unregisterKernel(name, BACKEND_NAME);
  const kernelFunc = (call: Call<Input, Attrs>) => {
    const { inputs, backend, attrs = {} as Attrs } = call;
    return backend.orRelease(() => run({ inputs, backend, attrs })) ?? stock.kernelFunc(call as never);
  };
  tf.registerKernel({
    ...stock,
    backendName: BACKEND_NAME,
    kernelFunc: kernelFunc as unknown as tf.KernelFunc,
  });
}

/** True when all tensors are float32: what native bodies work on. */
export function allFloats(tensors: readonly tf.TensorInfo[]): boolean {
  return tensors.every((tensor) => tensor.dtype === "float32");
}

/** Number of elements of a shape. */
export function sizeOf(shape: readonly number[]): number {
  return shape.reduce((product, size) => product * size, 1);
}

/** Distance between neighbours along each axis of a row-major tensor. */
export function rowMajorStrides(shape: readonly number[]): number[] {
  const strides = new Array<number>(shape.length);
  let stride = 1;
  for (let axis = shape.length - 1; axis >= 0; axis--) {
    strides[axis] = stride;
    stride *= shape[axis] as number;
  }
  return strides;
}

/** Loops for the native side: `[size, stride in the first, stride in the second]`, outermost first. */
export function loops(
  sizes: readonly number[],
  first: readonly number[],
  second: readonly number[],
): Int32Array {
  const out = new Int32Array(sizes.length * 3);
  for (let axis = 0; axis < sizes.length; axis++) {
    out[axis * 3] = sizes[axis] as number;
    out[axis * 3 + 1] = first[axis] as number;
    out[axis * 3 + 2] = second[axis] as number;
  }
  return out;
}
