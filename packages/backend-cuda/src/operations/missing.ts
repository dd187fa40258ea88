import { BasicError } from "@basic-mllm/core";
import * as tf from "@tensorflow/tfjs-core";

import { BACKEND_NAME } from "../backend.js";

/** Registers, for every stock operation without a kernel, one that says so: tfjs's own error names no way out. */
export function registerMissing(): void {
  for (const kernelName of stockKernels()) {
    const known: unknown = tf.getKernel(kernelName, BACKEND_NAME);
    if (known !== undefined) continue;
    const kernelFunc = () => {
      throw missing(kernelName);
    };
    tf.registerKernel({ kernelName, backendName: BACKEND_NAME, kernelFunc });
  }
}

/** Names of the kernels that tfjs's operations ask for: it exports each as a constant of that name. */
function stockKernels(): readonly string[] {
  return Object.entries(tf).flatMap(([name, value]) => (name === value ? [name] : []));
}

function missing(name: string): BasicError {
  return new BasicError(
    "E_KERNEL_MISSING",
    `The tfjs operation ${name} has no kernel on the backend "${BACKEND_NAME}". Compose it of those that docs/kernels.md lists, ` +
      'write a kernel contract for it (CONTRIBUTING.md), or use the backend "cpu", which has all of them.',
  );
}
