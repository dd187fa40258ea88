import { availableParallelism } from "node:os";

import { BasicError, findKernel } from "@basic-mllm/core";
import * as tf from "@tensorflow/tfjs-core";

import { BACKEND_NAME, CpuBackend } from "./backend.js";
import { registerContractKernels } from "./kernels/index.js";
import { native } from "./native.js";
import { registerOperations } from "./operations/index.js";
import { countJavascriptCalls } from "./operations/javascript.js";

/** How to start the CPU backend. */
export interface StartOptions {
  /** Threads for the kernels. Default: `BASIC_MLLM_THREADS`, else all CPUs. Results do not depend on it. */
  readonly threads?: number;
  /**
   * How matrix products treat their operands. `f32` (the default, or `BASIC_MLLM_PRECISION`) is exact; `bf16` rounds
   * them to bfloat16 and sums in float32: faster where the CPU multiplies bfloat16, and the same result elsewhere up
   * to the order of a sum. Parameters, activations and moments stay float32.
   */
  readonly precision?: Precision;
}

/** Precision of matrix products. */
export type Precision = "f32" | "bf16";

const MOST_THREADS = 1024;

/**
 * Makes the native CPU backend the current tfjs backend and returns its tfjs name. May be called again.
 *
 * @throws BasicError `E_BACKEND_START` when the native addon is missing, or an option has no valid value.
 */
export async function start(options: StartOptions = {}): Promise<string> {
  const bindings = native();
  const precision = resolvePrecision(options.precision);
  bindings.setThreadCount(resolveThreads(options.threads));
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

function resolveThreads(option: number | undefined): number {
  const { BASIC_MLLM_THREADS: variable } = process.env;
  const given = option ?? (variable === undefined || variable === "" ? undefined : Number(variable));
  if (given === undefined) return availableParallelism();
  if (Number.isInteger(given) && given >= 1 && given <= MOST_THREADS) return given;
  const source =
    option === undefined ? "the environment variable BASIC_MLLM_THREADS" : "the option `threads`";
  throw new BasicError(
    "E_BACKEND_START",
    `The CPU backend needs a number of threads from 1 to ${MOST_THREADS}, but ${source} is ` +
      `${option ?? JSON.stringify(variable)}. Give a whole number, or leave it out to use all CPUs.`,
  );
}

function resolvePrecision(option: Precision | undefined): Precision {
  const { BASIC_MLLM_PRECISION: variable } = process.env;
  const given: string = option ?? (variable === undefined || variable === "" ? "f32" : variable);
  if (given === "f32" || given === "bf16") return given;
  const source =
    option === undefined ? "the environment variable BASIC_MLLM_PRECISION" : "the option `precision`";
  throw new BasicError(
    "E_BACKEND_START",
    `The CPU backend multiplies in "f32" or "bf16", but ${source} is ${JSON.stringify(given)}. ` +
      "Give one of these, or leave it out for f32.",
  );
}
