import { type DecoderConfig, decoderConfig } from "@basic-mllm/core";

import type { ConfigFields } from "./hf-fields.js";
import { readRotary, writeRotary } from "./hf-rotary.js";
import { nameOf } from "./hf-vision.js";

type Family = "llama" | "mistral" | "qwen2" | "qwen3" | "gemma" | "gemma2" | "phi3";

interface Defaults {
  readonly vocabulary: number;
  readonly width: number;
  readonly inner: number;
  readonly depth: number;
  readonly heads: number;
  /** null: as many as `heads`. */
  readonly keyValueHeads: number | null;
  /** null: width / heads. */
  readonly headWidth: number | null;
  readonly positions: number;
  readonly tied: boolean;
}

/** Defaults of Hugging Face's config classes: a config.json holds only what differs from them. */
const defaults: Readonly<Record<Family, Defaults>> = {
  llama: {
    vocabulary: 32_000,
    width: 4096,
    inner: 11_008,
    depth: 32,
    heads: 32,
    keyValueHeads: null,
    headWidth: null,
    positions: 2048,
    tied: false,
  },
  mistral: {
    vocabulary: 32_000,
    width: 4096,
    inner: 14_336,
    depth: 32,
    heads: 32,
    keyValueHeads: 8,
    headWidth: null,
    positions: 131_072,
    tied: false,
  },
  qwen2: {
    vocabulary: 151_936,
    width: 4096,
    inner: 22_016,
    depth: 32,
    heads: 32,
    keyValueHeads: 32,
    headWidth: null,
    positions: 32_768,
    tied: false,
  },
  qwen3: {
    vocabulary: 151_936,
    width: 4096,
    inner: 22_016,
    depth: 32,
    heads: 32,
    keyValueHeads: 32,
    headWidth: 128,
    positions: 32_768,
    tied: false,
  },
  gemma: {
    vocabulary: 256_000,
    width: 3072,
    inner: 24_576,
    depth: 28,
    heads: 16,
    keyValueHeads: 16,
    headWidth: 256,
    positions: 8192,
    tied: true,
  },
  gemma2: {
    vocabulary: 256_000,
    width: 2304,
    inner: 9216,
    depth: 26,
    heads: 8,
    keyValueHeads: 4,
    headWidth: 256,
    positions: 8192,
    tied: true,
  },
  phi3: {
    vocabulary: 32_064,
    width: 3072,
    inner: 8192,
    depth: 32,
    heads: 32,
    keyValueHeads: null,
    headWidth: null,
    positions: 4096,
    tied: false,
  },
};

/** What `model_type` of a language model may say. */
export const decoderFamilies: readonly string[] = Object.keys(defaults);

const gates: Readonly<Record<string, DecoderConfig["activation"]>> = {
  silu: "silu",
  swish: "silu",
  gelu: "gelu-erf",
  gelu_new: "gelu-tanh",
  gelu_pytorch_tanh: "gelu-tanh",
};

/**
 * Reads the config of a language model: llama (Vicuna and SmolLM2 too), mistral, qwen2, qwen3, gemma, gemma2 or phi3.
 *
 * Both spellings are understood: transformers 4 (`rope_theta`, `rope_scaling`) and 5 (`rope_parameters`).
 *
 * @throws `E_CONFIG` for another `model_type` or a field that we cannot follow.
 */
export function readDecoderConfig(fields: ConfigFields): DecoderConfig {
  const type = fields.text("model_type", "llama");
  const family = Object.keys(defaults).find((name): name is Family => name === type);
  if (family === undefined) {
    throw fields.unsupported("model_type", `one of ${decoderFamilies.join(", ")}`);
  }
  const sizes = readSizes(fields, defaults[family]);
  const config = decoderConfig({
    ...sizes,
    rotary: readRotary(fields, {
      headWidth: sizes.headWidth,
      positions: sizes.positions,
      originalPositions: family === "phi3" ? 4096 : sizes.positions,
    }),
    normEpsilon: fields.number("rms_norm_eps", family === "phi3" ? 1e-5 : 1e-6),
    initialStd: fields.number("initializer_range", 0.02),
    windows: readWindows(fields, family, sizes.depth),
    ...readBiases(fields, family),
    ...readGemma(fields, family, sizes),
  });
  for (const name of ["use_bidirectional_attention", "rope_interleaved"]) {
    if (fields.flag(name, false)) throw fields.unsupported(name, "false");
  }
  fields.finish();
  return config;
}

function readSizes(fields: ConfigFields, byDefault: Defaults) {
  const width = fields.number("hidden_size", byDefault.width);
  const heads = fields.number("num_attention_heads", byDefault.heads);
  return {
    width,
    heads,
    vocabularySize: fields.number("vocab_size", byDefault.vocabulary),
    inner: fields.number("intermediate_size", byDefault.inner),
    depth: fields.blocks("num_hidden_layers", byDefault.depth),
    keyValueHeads: fields.number("num_key_value_heads", byDefault.keyValueHeads ?? heads),
    headWidth: fields.number("head_dim", byDefault.headWidth ?? Math.floor(width / heads)),
    positions: fields.number("max_position_embeddings", byDefault.positions),
    tiedHead: fields.flag("tie_word_embeddings", byDefault.tied),
  };
}

/** Qwen2 has biases on q, k, v always; Llama and Qwen3 on all four products where `attention_bias` is true. */
function readBiases(fields: ConfigFields, family: Family): Partial<DecoderConfig> {
  const all = fields.flag("attention_bias", false);
  return {
    inputBias: all || family === "qwen2",
    outputBias: all,
    mlpBias: fields.flag("mlp_bias", false),
    headNorm: family === "qwen3",
    fusedProducts: family === "phi3",
  };
}

function readGemma(
  fields: ConfigFields,
  family: Family,
  { width, headWidth }: { width: number; headWidth: number },
): Partial<DecoderConfig> {
  const isGemma = family === "gemma" || family === "gemma2";
  if (!isGemma) return { activation: fields.choice("hidden_act", "silu", gates) };
  // Gemma's first configs say "gelu" and mean the tanh form.
  const name = fields.has("hidden_activation") ? "hidden_activation" : "hidden_act";
  const gate = fields.choice(name, "gelu_pytorch_tanh", gates);
  fields.ignore("hidden_act", "hidden_activation");
  const common = {
    activation: gate === "gelu-erf" ? "gelu-tanh" : gate,
    normAddOne: true,
    embeddingScale: Math.sqrt(width),
  } as const;
  if (family === "gemma") return common;
  return {
    ...common,
    sandwichNorms: true,
    attentionScale: 1 / Math.sqrt(fields.number("query_pre_attn_scalar", headWidth)),
    attentionSoftcap: softcap(fields, "attn_logit_softcapping", 50),
    headSoftcap: softcap(fields, "final_logit_softcapping", 30),
  };
}

/** An absent cap has the class's default, a null one means none. */
function softcap(fields: ConfigFields, name: string, byDefault: number): number {
  return fields.raw(name) === null ? 0 : fields.number(name, byDefault);
}

function readWindows(fields: ConfigFields, family: Family, depth: number): readonly number[] {
  const isQwen = family === "qwen2" || family === "qwen3";
  const on = fields.flag("use_sliding_window", !isQwen);
  const first = fields.number("max_window_layers", isQwen ? 28 : 0);
  const window = readWindow(fields, family);
  const types = fields.list("layer_types");
  if (types !== null && types.length !== depth) {
    throw fields.unsupported("layer_types", `a list of ${depth} entries`);
  }
  return Array.from({ length: depth }, (_, i) => {
    if (types !== null) return layerWindow(fields, types[i], window);
    if (family === "gemma2") return i % 2 === 0 ? window : 0;
    return on && i >= first ? window : 0;
  });
}

/** 0 = none. */
function readWindow(fields: ConfigFields, family: Family): number {
  const given = fields.raw("sliding_window");
  if (given === null) return 0;
  return fields.number("sliding_window", ["llama", "gemma", "phi3"].includes(family) ? 0 : 4096);
}

function layerWindow(fields: ConfigFields, type: unknown, window: number): number {
  if (type === "full_attention") return 0;
  if (type === "sliding_attention") return window;
  throw fields.unsupported("layer_types", '"full_attention" or "sliding_attention" in each place');
}

/** The config in Hugging Face's spelling (transformers 4, which 5 reads as well). */
export function writeDecoderConfig(config: DecoderConfig): Record<string, unknown> {
  const family = familyOf(config);
  const isGemma = config.normAddOne;
  return {
    architectures: [
      `${{ llama: "Llama", mistral: "Mistral", qwen2: "Qwen2", qwen3: "Qwen3", gemma: "Gemma", gemma2: "Gemma2", phi3: "Phi3" }[family]}ForCausalLM`,
    ],
    model_type: family,
    ...(!["qwen2", "mistral", "phi3"].includes(family) && { attention_bias: config.outputBias }),
    head_dim: config.headWidth,
    [isGemma ? "hidden_activation" : "hidden_act"]: nameOf(config.activation),
    hidden_size: config.width,
    initializer_range: config.initialStd,
    intermediate_size: config.inner,
    max_position_embeddings: config.positions,
    ...(family === "llama" && { mlp_bias: config.mlpBias }),
    num_attention_heads: config.heads,
    num_hidden_layers: config.depth,
    num_key_value_heads: config.keyValueHeads,
    rms_norm_eps: config.normEpsilon,
    ...writeRotary(config.rotary, config.headWidth),
    ...(config.rotary.scaling?.kind === "longrope" && {
      original_max_position_embeddings: config.rotary.scaling.originalPositions,
    }),
    ...writeWindows(config, family),
    ...(family === "gemma2" && {
      attn_logit_softcapping: config.attentionSoftcap || null,
      final_logit_softcapping: config.headSoftcap || null,
      query_pre_attn_scalar: Math.round(1 / config.attentionScale ** 2),
    }),
    tie_word_embeddings: config.tiedHead,
    vocab_size: config.vocabularySize,
  };
}

function writeWindows({ windows }: DecoderConfig, family: Family): Record<string, unknown> {
  const window = Math.max(...windows);
  if (family === "llama" || family === "gemma") return {};
  return {
    sliding_window: window === 0 ? null : window,
    ...(family !== "mistral" &&
      family !== "phi3" && {
        layer_types: windows.map((size) => (size === 0 ? "full_attention" : "sliding_attention")),
      }),
    ...(family.startsWith("qwen") && { use_sliding_window: window > 0 }),
  };
}

function familyOf(config: DecoderConfig): Family {
  if (config.fusedProducts) return "phi3";
  if (config.sandwichNorms) return "gemma2";
  if (config.normAddOne) return "gemma";
  if (config.headNorm) return "qwen3";
  if (config.inputBias && !config.outputBias) return "qwen2";
  return config.windows.some((window) => window > 0) ? "mistral" : "llama";
}
