import { registerAccumulate } from "./accumulate/accumulate.js";
import { registerActivations } from "./activation/activation.js";
import { registerAdamw } from "./adamw/adamw.js";
import { registerAttention } from "./attention/attention.js";
import { registerCachedAttention } from "./cached-attention/cached-attention.js";
import { registerDecoderBlock } from "./decoder-block/decoder-block.js";
import { registerDirection } from "./direction/direction.js";
import { registerDropout } from "./dropout/dropout.js";
import { registerLinear } from "./linear/linear.js";
import { registerLinearCrossEntropy } from "./linear-cross-entropy/linear-cross-entropy.js";
import { registerLinearKl } from "./linear-kl/linear-kl.js";
import { registerNorms } from "./norm/norm.js";
import { registerPackedEmbedding } from "./packed-embedding/packed-embedding.js";
import { registerRotary } from "./rotary/rotary.js";
import { registerRows } from "./rows/rows.js";
import { registerSquaredNorm } from "./squared-norm/squared-norm.js";

/** Registers the bodies of all kernel contracts. */
export function registerContractKernels(): void {
  registerAccumulate();
  registerActivations();
  registerAdamw();
  registerAttention();
  registerCachedAttention();
  registerDecoderBlock();
  registerDirection();
  registerDropout();
  registerLinear();
  registerLinearCrossEntropy();
  registerLinearKl();
  registerNorms();
  registerPackedEmbedding();
  registerRotary();
  registerRows();
  registerSquaredNorm();
}
