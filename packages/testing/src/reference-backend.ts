import { allContracts, BasicError, findKernel, implementKernel, type KernelContract } from "@basic-mllm/core";
import * as tf from "@tensorflow/tfjs-core";

import { QuietCpu } from "./quiet-cpu.js";

/** Name of {@link startReferenceBackend} in tfjs's registry. */
export const REFERENCE_BACKEND = "reference";

/**
 * Makes a backend current that implements every contract by its own reference: slow, and right.
 *
 * Unlike `setFallback("reference")`, which differentiates the stock ops of a reference, it runs the contracts'
 * gradients and backward contracts. Tests of models and losses that are about kernels use it.
 *
 * @param contracts - Default: every contract of core.
 * @returns The name of the backend.
 */
export async function startReferenceBackend(contracts = allContracts): Promise<string> {
  if (tf.findBackendFactory(REFERENCE_BACKEND) === null) {
    tf.registerBackend(REFERENCE_BACKEND, () => new QuietCpu(), 0);
    tf.copyRegisteredKernels("cpu", REFERENCE_BACKEND);
  }
  for (const contract of contracts) {
    if (findKernel(contract.name, REFERENCE_BACKEND) === undefined)
      implementByReference(contract, REFERENCE_BACKEND);
  }
  if (!(await tf.setBackend(REFERENCE_BACKEND))) {
    throw new BasicError("E_BACKEND_START", `tfjs refused the backend "${REFERENCE_BACKEND}".`);
  }
  return REFERENCE_BACKEND;
}

/** Registers the contract's reference as its body on `backend`. */
export function implementByReference(contract: KernelContract, backend: string): void {
  implementKernel({
    contract,
    backend,
    run: ({ inputs, attrs }) =>
      tf.tidy(() => [...contract.reference(inputs as Readonly<Record<string, tf.Tensor>>, attrs)]),
  });
}
