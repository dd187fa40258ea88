import type { CpuBackend } from "@basic-mllm/backend-cpu";
import * as tf from "@tensorflow/tfjs-core";

/** Tensor-sized calls that the CPU backend of this process left to JavaScript, by kernel. */
export function javascriptCalls(): Readonly<Record<string, number>> {
  return (tf.backend() as CpuBackend).javascriptCalls();
}
