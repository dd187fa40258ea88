import { BasicError, findKernel } from "@basic-mllm/core";
import * as tf from "@tensorflow/tfjs-core";

import { BACKEND_NAME, CpuBackend } from "./backend.js";
import { registerContractKernels } from "./kernels/index.js";
import { native } from "./native.js";
import { registerOperations } from "./operations/index.js";
import { countJavascriptCalls } from "./operations/javascript.js";
import { type Precision, resolveInstructionSet, resolvePrecision, resolveThreads } from "./settings.js";

/** How to start the CPU backend. */
export interface StartOptions {
  /** Threads for the kernels. Default: `BASIC_MLLM_THREADS`, else all CPUs. Results do not depend on it. */
  readonly threads?: number;
  /**
   * Instruction set of all kernels: `avx512`, `avx2` or `baseline` on x86-64, `neon` on ARM, `simd128` in WebAssembly.
   * Default: `BASIC_MLLM_SIMD`, else the best that the CPU has.
   */
  readonly instructionSet?: string;
  /**
   * How matrix products treat their operands. `f32` (the default, or `BASIC_MLLM_PRECISION`) is exact; `bf16` rounds
   * them to bfloat16 and sums in float32: faster where the CPU multiplies bfloat16, and the same result elsewhere up
   * to the order of a sum. Parameters, activations and moments stay float32.
   */
  readonly precision?: Precision;
}

/**
 * Makes the native CPU backend the current tfjs backend and returns its tfjs name. May be called again.
 *
 * @throws BasicError `E_BACKEND_START` when the native addon is missing, the CPU lacks the instruction set, or another
 *   option has no valid value.
 */
export async function start(options: StartOptions = {}): Promise<string> {
  const bindings = native();
  const instructionSet = resolveInstructionSet(options.instructionSet, bindings.instructionSets());
  const precision = resolvePrecision(options.precision);
  bindings.setThreadCount(resolveThreads(options.threads));
  bindings.setInstructionSet(instructionSet);
  bindings.setBf16Products(precision === "bf16");
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
