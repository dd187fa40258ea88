import { registerActivations } from "./activation/activation.js";
import { registerLinear } from "./linear/linear.js";
import { registerNorms } from "./norm/norm.js";

/** Registers the bodies of all kernel contracts. */
export function registerContractKernels(): void {
  registerActivations();
  registerLinear();
  registerNorms();
}
