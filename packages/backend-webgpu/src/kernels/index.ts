import { registerAccumulate } from "./accumulate/accumulate.js";
import { registerActivations } from "./activation/activation.js";
import { registerAdamw } from "./adamw/adamw.js";
import { registerDirection } from "./direction/direction.js";
import { registerLinear } from "./linear/linear.js";
import { registerLinearCrossEntropy } from "./linear-cross-entropy/linear-cross-entropy.js";
import { registerLinearKl } from "./linear-kl/linear-kl.js";
import { registerNorms } from "./norm/norm.js";
import { registerPackedEmbedding } from "./packed-embedding/packed-embedding.js";
import { registerRows } from "./rows/rows.js";
import { registerSquaredNorm } from "./squared-norm/squared-norm.js";

/** Registers the bodies of all kernel contracts. */
export function registerContractKernels(): void {
  registerActivations();
  registerLinear();
  registerNorms();
  registerAccumulate();
  registerAdamw();
  registerDirection();
  registerPackedEmbedding();
  registerRows();
  registerSquaredNorm();
  registerLinearCrossEntropy();
  registerLinearKl();
}
