import { withTensors } from "@basic-mllm/core/device";
import * as tf from "@tensorflow/tfjs-core";

import { BACKEND_NAME, type WebGpuBackend } from "../backend.js";

/** A call of a stock kernel. */
interface Call<Input extends string, Attrs extends object> {
  readonly inputs: Readonly<Record<Input, tf.TensorInfo>>;
  readonly attrs: Attrs;
  readonly backend: WebGpuBackend;
  readonly allocate: (shape: readonly number[]) => tf.TensorInfo;
  readonly scratch: (shape: readonly number[]) => tf.TensorInfo;
}

/** What a body returns for a call that it leaves to the stock kernel. */
export const UNHANDLED = undefined;

/** Replaces the stock kernel of an operation. Calls that `run` does not handle still go there. */
export function override<Input extends string, Attrs extends object>(
  name: string,
  run: (call: Call<Input, Attrs>) => tf.TensorInfo | typeof UNHANDLED,
): void {
  const stock = tf.getKernel(name, BACKEND_NAME);
  tf.unregisterKernel(name, BACKEND_NAME);
  const kernelFunc = (call: Pick<Call<Input, Attrs>, "inputs" | "attrs" | "backend">) =>
    withTensors(call.backend, (allocate, scratch) => run({ ...call, allocate, scratch })) ??
    stock.kernelFunc(call as never);
  tf.registerKernel({
    ...stock,
    backendName: BACKEND_NAME,
    kernelFunc: kernelFunc as unknown as tf.KernelFunc,
  });
}
