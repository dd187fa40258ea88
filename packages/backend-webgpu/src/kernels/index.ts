import { registerActivations } from "./activation/activation.js";
import { registerAttention } from "./attention/attention.js";
import { registerLinear } from "./linear/linear.js";
import { registerNorms } from "./norm/norm.js";
import { registerRotary } from "./rotary/rotary.js";

/** Registers the bodies of all kernel contracts. */
export function registerContractKernels(): void {
  registerActivations();
  registerAttention();
  registerLinear();
  registerNorms();
  registerRotary();
}
