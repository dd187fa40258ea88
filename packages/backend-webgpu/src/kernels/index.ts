import { registerActivations } from "./activation/activation.js";
import { registerLinear } from "./linear/linear.js";

/** Registers the bodies of all kernel contracts. */
export function registerContractKernels(): void {
  registerActivations();
  registerLinear();
}
