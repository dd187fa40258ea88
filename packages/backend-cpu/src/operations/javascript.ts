import * as tf from "@tensorflow/tfjs-core";

import { BACKEND_NAME, type CpuBackend } from "../backend.js";
import { sizeOf } from "./register.js";

/** Tensors of more elements than this are work; smaller ones are bookkeeping: scalars, factors per sample. */
const TENSOR_SIZE = 64;

/** Kernels that only hand on their input under another shape. */
const ALIASES = ["Identity", "Reshape", "ExpandDims", "Squeeze"];

type KernelCall = Parameters<tf.KernelFunc>[0];

/** Makes the JavaScript kernels, before native ones replace them, count their tensor-sized calls on the backend. */
export function countJavascriptCalls(): void {
  for (const kernel of tf.getKernelsForBackend(BACKEND_NAME)) {
    const { kernelName, kernelFunc } = kernel;
    if (ALIASES.includes(kernelName)) continue;
    const counting: tf.KernelFunc = (call) => {
      const result = kernelFunc(call);
      if (isTensorSized(call, result)) (call.backend as CpuBackend).noteJavascriptCall(kernelName);
      return result;
    };
    tf.unregisterKernel(kernelName, BACKEND_NAME);
    tf.registerKernel({ ...kernel, kernelFunc: counting });
  }
}

function isTensorSized({ inputs }: KernelCall, result: tf.TensorInfo | tf.TensorInfo[]): boolean {
  const tensors = [result, ...Object.values(inputs)].flat() as (tf.TensorInfo | null | undefined)[];
  return tensors.some((tensor) => sizeOf(tensor?.shape ?? []) > TENSOR_SIZE);
}
