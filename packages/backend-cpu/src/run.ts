import { BasicError, findKernel } from "@basic-mllm/core";
import * as tf from "@tensorflow/tfjs-core";

import { BACKEND_NAME, CpuBackend } from "./backend.js";
import type { NativeBindings } from "./bindings.js";
import { registerContractKernels } from "./kernels/index.js";
import { registerOperations } from "./operations/index.js";
import { countJavascriptCalls } from "./operations/javascript.js";

/** Makes these kernels the current tfjs backend, registering it the first time; gives its tfjs name. */
export async function runOn(bindings: NativeBindings): Promise<string> {
  if (tf.findBackendFactory(BACKEND_NAME) === null) {
    tf.registerBackend(BACKEND_NAME, () => new CpuBackend(bindings), 0);
  }
  if (findKernel("Add", BACKEND_NAME) === undefined) {
    tf.copyRegisteredKernels("cpu", BACKEND_NAME);
    countJavascriptCalls();
    registerOperations();
    registerContractKernels();
  }
  if (!(await tf.setBackend(BACKEND_NAME))) {
    throw new BasicError(
      "E_BACKEND_START",
      `tfjs refused the backend "${BACKEND_NAME}"; see its warning above.`,
    );
  }
  return BACKEND_NAME;
}
