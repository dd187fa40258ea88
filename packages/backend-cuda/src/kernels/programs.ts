import type { Program } from "../program.js";
import { withVariants } from "../variant.js";
import { accumulatePrograms } from "./accumulate/accumulate.js";
import { activationPrograms } from "./activation/activation.js";
import { adamwPrograms } from "./adamw/adamw.js";
import { attentionPrograms } from "./attention/programs.js";
import { cachedAttentionPrograms } from "./cached-attention/cached-attention.js";
import { columnSumPrograms } from "./column-sums/column-sums.js";
import { convertPrograms } from "./convert/convert.js";
import { directionPrograms } from "./direction/direction.js";
import { dropoutPrograms } from "./dropout/dropout.js";
import { decodePrograms } from "./linear/decode.js";
import { packedProductPrograms } from "./linear/packed-product.js";
import { crossEntropyPrograms } from "./linear-cross-entropy/programs.js";
import { klPrograms } from "./linear-kl/programs.js";
import { normPrograms } from "./norm/norm.js";
import { packedEmbeddingPrograms } from "./packed-embedding/packed-embedding.js";
import { rotaryPrograms } from "./rotary/rotary.js";
import { rowPrograms } from "./rows/rows.js";
import { squaredNormPrograms } from "./squared-norm/squared-norm.js";
import { vocabularyPrograms } from "./vocabulary/vocabulary.js";

const programs: readonly Program[] = [
  ...accumulatePrograms,
  ...activationPrograms,
  ...adamwPrograms,
  ...attentionPrograms,
  ...cachedAttentionPrograms,
  ...columnSumPrograms,
  ...decodePrograms,
  ...convertPrograms,
  ...crossEntropyPrograms,
  ...directionPrograms,
  ...dropoutPrograms,
  ...klPrograms,
  ...normPrograms,
  ...packedEmbeddingPrograms,
  ...packedProductPrograms,
  ...rotaryPrograms,
  ...rowPrograms,
  ...squaredNormPrograms,
  ...vocabularyPrograms,
];

/** Every CUDA program of the contracts' kernels, in all variants. */
export const contractPrograms: readonly Program[] = programs.flatMap(withVariants);
