import { registerActivations } from "./activations.js";
import { registerAttention } from "./attention.js";
import { registerCached } from "./cached.js";
import { registerLinear } from "./linear.js";
import { registerLosses } from "./losses.js";
import { registerNorms } from "./norms.js";
import { registerRows } from "./rows.js";
import { registerUpdates } from "./updates.js";

/** Registers the fused bodies of all kernel contracts. */
export function registerContractKernels(): void {
  registerActivations();
  registerAttention();
  registerCached();
  registerLinear();
  registerLosses();
  registerNorms();
  registerRows();
  registerUpdates();
}
