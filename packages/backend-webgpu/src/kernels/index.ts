import { registerActivations } from "./activation/activation.js";

/** Registers the bodies of all kernel contracts. */
export function registerContractKernels(): void {
  registerActivations();
}
