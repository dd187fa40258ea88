import { registerActivations } from "./activations.js";
import { registerLinear } from "./linear.js";
import { registerNorms } from "./norms.js";
import { registerRows } from "./rows.js";

/** Registers the fused bodies of all kernel contracts. */
export function registerContractKernels(): void {
  registerActivations();
  registerLinear();
  registerNorms();
  registerRows();
}
