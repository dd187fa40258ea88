import * as tf from "@tensorflow/tfjs-core";

import { BACKEND_NAME, type CpuBackend } from "../backend.js";

/** A call of a stock kernel. */
export interface Call<Input extends string, Attrs extends object> {
  readonly inputs: Readonly<Record<Input, tf.TensorInfo>>;
  readonly attrs: Attrs;
  readonly backend: CpuBackend;
}

/** What a native body returns when the call is not one it handles, e.g. integers. */
export const UNHANDLED = undefined;

/** Replaces the JavaScript kernel of a stock operation; calls that `run` does not handle still go there. */
export function override<Input extends string, Attrs extends object = object>(
  name: string,
  run: (call: Call<Input, Attrs>) => tf.TensorInfo | typeof UNHANDLED,
): void {
  const stock = tf.getKernel(name, "cpu");
  tf.unregisterKernel(name, BACKEND_NAME);
  const kernelFunc = (call: Call<Input, Attrs>) => run(call) ?? stock.kernelFunc(call as never);
  tf.registerKernel({
    ...stock,
    backendName: BACKEND_NAME,
    kernelFunc: kernelFunc as unknown as tf.KernelFunc,
  });
}

/** True when all tensors are float32: what native bodies work on. */
export function allFloats(...tensors: readonly tf.TensorInfo[]): boolean {
  return tensors.every((tensor) => tensor.dtype === "float32");
}
