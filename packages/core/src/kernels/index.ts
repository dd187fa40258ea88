import { accumulate } from "./accumulate.js";
import { activation, activationBackward } from "./activation.js";
import { adamw } from "./adamw.js";
import { attention, attentionBackward, attentionReceived } from "./attention.js";
import { cachedAttention } from "./cached-attention.js";
import type { KernelContract } from "./contract.js";
import { decoderBlock } from "./decoder-block.js";
import { direction, directionBackward } from "./direction.js";
import { dropoutKernel } from "./dropout.js";
import { embedding } from "./embedding.js";
import { frozenLinear, frozenLinearBackward, frozenLinearBias } from "./frozen-linear.js";
import { gatedActivation, gatedActivationBackward } from "./gated-activation.js";
import { layerNorm, layerNormBackward } from "./layer-norm.js";
import { linear, linearBias } from "./linear.js";
import { linearCrossEntropy, linearCrossEntropyBackward } from "./linear-cross-entropy.js";
import { linearBackward, linearPair, linearTriple } from "./linear-group.js";
import { linearKl, linearKlBackward } from "./linear-kl.js";
import { packedEmbedding } from "./packed-embedding.js";
import { rmsNorm, rmsNormBackward } from "./rms-norm.js";
import { rotary } from "./rotary.js";
import { rowGather, scatterAddRows } from "./row-gather.js";
import { splice } from "./splice.js";
import { squaredNorm } from "./squared-norm.js";

/**
 * Every contract. The conformance suite and the support tables walk this list.
 *
 * The cast drops each contract's own input and attribute types: a list can only be walked by name.
 */
export const allContracts: readonly KernelContract[] = [
  linear,
  linearBias,
  linearPair,
  linearTriple,
  linearBackward,
  frozenLinear,
  frozenLinearBias,
  frozenLinearBackward,
  activation,
  activationBackward,
  gatedActivation,
  gatedActivationBackward,
  dropoutKernel,
  rmsNorm,
  rmsNormBackward,
  layerNorm,
  layerNormBackward,
  rotary,
  embedding,
  splice,
  rowGather,
  scatterAddRows,
  attention,
  attentionReceived,
  attentionBackward,
  cachedAttention,
  decoderBlock,
  packedEmbedding,
  linearCrossEntropy,
  linearCrossEntropyBackward,
  direction,
  directionBackward,
  linearKl,
  linearKlBackward,
  accumulate,
  squaredNorm,
  adamw,
] as unknown as readonly KernelContract[];
