import {
  BasicError,
  type DecoderConfig,
  type RotaryConfig,
  type RotaryScaling,
  rotaryFrequencies,
} from "@basic-mllm/core";

import { type GgufArchitecture, readGgufConfig } from "./config.js";
import { float32, type GgufFieldValues, string, uint32 } from "./field-values.js";
import { describeGguf } from "./in-memory.js";
import { FACTOR_TENSORS, LONG_FACTORS, ROTARY_FACTORS, SHORT_FACTORS } from "./rotary-fields.js";
import type { GgufTensor } from "./write.js";

/** The architecture whose maths a decoder has. */
export function architectureOf(config: DecoderConfig): GgufArchitecture {
  if (config.fusedProducts) return "phi3";
  if (config.sandwichNorms) return "gemma2";
  if (config.normAddOne) return "gemma";
  if (config.headNorm) return "qwen3";
  return config.inputBias && !config.outputBias && !config.mlpBias ? "qwen2" : "llama";
}

/** The fields of a decoder's sizes and constants. */
export function decoderFields(config: DecoderConfig): GgufFieldValues {
  const architecture = architectureOf(config);
  const { rotary, headWidth } = config;
  const fields = {
    context_length: uint32(config.positions),
    embedding_length: uint32(config.width),
    block_count: uint32(config.depth),
    feed_forward_length: uint32(config.inner),
    "attention.head_count": uint32(config.heads),
    "attention.head_count_kv": uint32(config.keyValueHeads),
    "attention.key_length": uint32(headWidth),
    "attention.value_length": uint32(headWidth),
    "attention.layer_norm_rms_epsilon": float32(config.normEpsilon),
    "rope.dimension_count": uint32(rotary.width),
    "rope.freq_base": float32(rotary.base),
    ...scalingFields(config),
    vocab_size: uint32(config.vocabularySize),
    ...(hasWindows(architecture) && {
      "attention.sliding_window": uint32(Math.max(...config.windows)),
    }),
    ...(architecture === "gemma2" && {
      attn_logit_softcapping: float32(config.attentionSoftcap),
      final_logit_softcapping: float32(config.headSoftcap),
    }),
  };
  return Object.fromEntries(
    Object.entries(fields).map(([name, value]) => [`${architecture}.${name}`, value]),
  );
}

/** Architectures that have a field for windows. */
function hasWindows(architecture: GgufArchitecture): boolean {
  return architecture === "gemma2" || architecture === "phi3";
}

function scalingFields(config: DecoderConfig): GgufFieldValues {
  const { scaling } = config.rotary;
  if (scaling?.kind === "linear") {
    return { "rope.scaling.type": string("linear"), "rope.scaling.factor": float32(scaling.factor) };
  }
  if (scaling?.kind !== "longrope" || !config.fusedProducts) return {};
  return {
    "rope.scaling.original_context_length": uint32(scaling.originalPositions),
    "rope.scaling.attn_factor": float32(scaling.attentionFactor),
  };
}

/**
 * Tensors with factors, one per frequency, by which llama.cpp divides: Llama 3's, or both lists of Phi 3's longrope. None
 * where frequencies are plain or all scaled alike.
 *
 * @throws `BasicError` `E_CONFIG` for a scaling that the architecture has no form for.
 */
export function rotaryFactors(config: DecoderConfig): readonly GgufTensor[] {
  const { scaling } = config.rotary;
  if (scaling === null || scaling.kind === "linear") return [];
  if (config.fusedProducts) {
    if (scaling.kind !== "longrope")
      throw inexpressible("rotary.scaling", "longrope or linear in a phi3 model", scaling.kind);
    return [
      factorTensor(LONG_FACTORS, Float32Array.from(scaling.longFactors)),
      factorTensor(SHORT_FACTORS, Float32Array.from(scaling.shortFactors)),
    ];
  }
  return [factorTensor(ROTARY_FACTORS, oneList(config.rotary, scaling))];
}

function factorTensor(name: string, factors: Float32Array): GgufTensor {
  return { name, shape: [factors.length], type: "F32", values: () => factors };
}

function oneList(rotary: RotaryConfig, scaling: RotaryScaling): Float32Array {
  if (scaling.kind === "longrope") {
    const { shortFactors, longFactors, attentionFactor } = scaling;
    if (attentionFactor === 1 && shortFactors.join() === longFactors.join())
      return Float32Array.from(shortFactors);
    throw inexpressible("rotary.scaling", "one list of factors for all lengths", "longrope with two");
  }
  const plain = rotaryFrequencies({ ...rotary, scaling: null }, 1).frequencies;
  const { frequencies } = rotaryFrequencies(rotary, 1);
  return plain.map((frequency, i) => frequency / (frequencies[i] as number));
}

/** What a reader gets back may differ by the rounding of float32. */
const ROUNDING = 1e-6;

/** Fields of a config that are not maths, or compared on their own. */
const apart: readonly (keyof DecoderConfig)[] = ["initialStd", "rotary", "windows"];

/**
 * Whether a reader would get the same maths back.
 *
 * @throws `BasicError` `E_CONFIG` naming the field of the decoder that GGUF's architecture does not have.
 */
export function checkExpressible(config: DecoderConfig, tensors: readonly GgufTensor[]): void {
  const { rotary } = config;
  if (rotary.width !== config.headWidth && !config.fusedProducts) {
    throw inexpressible("rotary.width", `${config.headWidth}, the width of a head`, String(rotary.width));
  }
  // Scaling may be in tensors, whose values a description does not have.
  const unscaled = { ...config, rotary: { ...rotary, scaling: null } };
  const fields = {
    "general.architecture": string(architectureOf(config)),
    ...decoderFields(unscaled),
  };
  const withoutFactors = tensors.filter(({ name }) => !FACTOR_TENSORS.includes(name));
  const { architecture, config: read } = readGgufConfig(
    describeGguf(fields, withoutFactors, "the GGUF file"),
  );
  for (const name of Object.keys(config) as (keyof DecoderConfig)[]) {
    if (apart.includes(name) || same(config[name], read[name])) continue;
    throw inexpressible(name, `${String(read[name])} in a ${architecture} model`, String(config[name]));
  }
  if (architecture !== "llama" && architecture !== "qwen2" && config.inputBias) {
    throw inexpressible("inputBias", `false in a ${architecture} model`, "true");
  }
  checkWindows(config, architecture, read.windows);
}

function same(a: unknown, b: unknown): boolean {
  if (typeof a !== "number" || typeof b !== "number") return a === b;
  return Math.abs(a - b) <= ROUNDING * Math.abs(a);
}

/** A window as long as the longest text hides nothing. */
function checkWindows(config: DecoderConfig, architecture: GgufArchitecture, read: readonly number[]): void {
  const { windows, positions } = config;
  const effective = windows.map((window) => (window >= positions ? 0 : window));
  const possible = hasWindows(architecture) ? read : read.map(() => 0);
  const block = effective.findIndex((window, i) => window !== possible[i] && windows[i] !== possible[i]);
  if (block < 0) return;
  throw inexpressible(
    `windows[${block}]`,
    `${possible[block]} in a ${architecture} model of llama.cpp`,
    String(windows[block]),
  );
}

function inexpressible(field: string, expected: string, given: string): BasicError {
  return new BasicError(
    "E_CONFIG",
    `A GGUF file cannot hold this language model: \`${field}\` must be ${expected}, got ${given}. ` +
      "Export it to a Hugging Face folder instead.",
  );
}
