import { BasicError, type DecoderConfig, rotaryFrequencies } from "@basic-mllm/core";

import { type GgufArchitecture, readGgufConfig } from "./config.js";
import { float32, type GgufFieldValues, string, uint32 } from "./field-values.js";
import { describeGguf } from "./in-memory.js";
import type { GgufTensor } from "./write.js";

/** The architecture whose maths a decoder has. Phi 3 is llama's where its matrices are apart. */
export function architectureOf(config: DecoderConfig): GgufArchitecture {
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
    ...(rotary.scaling?.kind === "linear" && {
      "rope.scaling.type": string("linear"),
      "rope.scaling.factor": float32(rotary.scaling.factor),
    }),
    vocab_size: uint32(config.vocabularySize),
    ...(architecture === "gemma2" && {
      "attention.sliding_window": uint32(Math.max(...config.windows)),
      attn_logit_softcapping: float32(config.attentionSoftcap),
      final_logit_softcapping: float32(config.headSoftcap),
    }),
  };
  return Object.fromEntries(
    Object.entries(fields).map(([name, value]) => [`${architecture}.${name}`, value]),
  );
}

/**
 * Llama 3's factors, one per frequency, by which llama.cpp divides; null where frequencies are plain or all scaled alike.
 *
 * @throws `BasicError` `E_CONFIG` for longrope with a switch, which has no such form.
 */
export function rotaryFactors({ rotary }: DecoderConfig): Float32Array | null {
  const { scaling } = rotary;
  if (scaling === null || scaling.kind === "linear") return null;
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
const apart: readonly (keyof DecoderConfig)[] = ["initialStd", "fusedProducts", "rotary", "windows"];

/**
 * Whether a reader would get the same maths back.
 *
 * @throws `BasicError` `E_CONFIG` naming the field of the decoder that GGUF's architecture does not have.
 */
export function checkExpressible(
  config: DecoderConfig,
  fields: GgufFieldValues,
  tensors: readonly GgufTensor[],
): void {
  if (config.rotary.width !== config.headWidth) {
    throw inexpressible(
      "rotary.width",
      `${config.headWidth}, the width of a head`,
      String(config.rotary.width),
    );
  }
  const withoutFactors = tensors.filter(({ name }) => name !== "rope_freqs.weight");
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
  const possible = architecture === "gemma2" ? read : read.map(() => 0);
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
