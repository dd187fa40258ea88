import { registerActivations } from "./activation/activation.js";
import { registerAttention } from "./attention/attention.js";
import { registerCachedAttention } from "./cached-attention/cached-attention.js";
import { registerDecoderBlock } from "./decoder-block/decoder-block.js";
import { registerLinear } from "./linear/linear.js";
import { registerNorms } from "./norm/norm.js";
import { registerRotary } from "./rotary/rotary.js";

/** Registers the bodies of all kernel contracts. */
export function registerContractKernels(): void {
  registerActivations();
  registerAttention();
  registerCachedAttention();
  registerDecoderBlock();
  registerLinear();
  registerNorms();
  registerRotary();
}
