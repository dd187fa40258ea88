import { BasicError, type DecoderConfig, decoderConfig } from "@basic-mllm/core";

import { GgufFields } from "./fields.js";
import type { GgufFile } from "./file.js";
import { readRotary } from "./rotary-fields.js";

/** Values of `general.architecture` that we read. Mistral and SmolLM2 are `llama`. */
export type GgufArchitecture = "llama" | "qwen2" | "qwen3" | "gemma" | "gemma2" | "phi3";

const architectures: readonly GgufArchitecture[] = ["llama", "qwen2", "qwen3", "gemma", "gemma2", "phi3"];

/** A decoder as a GGUF file describes it. */
export interface GgufConfig {
  readonly architecture: GgufArchitecture;
  readonly config: DecoderConfig;
}

/**
 * The decoder of a GGUF file, by its metadata and by which tensors it has: a missing head is tied to the table, a bias
 * is there where its tensor is.
 *
 * @throws `BasicError` `E_CONFIG` for another architecture, or a field that we cannot follow; `E_WEIGHTS_MISSING`.
 */
export function readGgufConfig(file: GgufFile): GgufConfig {
  const fields = new GgufFields(file.metadata, file.location);
  const architecture = readArchitecture(fields, file.location);
  const at = (name: string): string => `${architecture}.${name}`;
  const [vocabularySize = 0, width = 0] = file.entry("token_embd.weight").shape;
  const sizes = readSizes(fields, at, file.names.length);
  if (sizes.width !== width)
    throw fields.unsupported(at("embedding_length"), `${width}, the width of token_embd.weight`);
  const config = decoderConfig({
    ...sizes,
    vocabularySize,
    normEpsilon: fields.number(at("attention.layer_norm_rms_epsilon")),
    positions: fields.number(at("context_length")),
    rotary: readRotary(fields, { file, architecture, headWidth: sizes.headWidth }),
    headNorm: architecture === "qwen3",
    fusedProducts: architecture === "phi3",
    tiedHead: !file.has("output.weight"),
    inputBias: file.has("blk.0.attn_q.bias"),
    outputBias: file.has("blk.0.attn_output.bias"),
    mlpBias: file.has("blk.0.ffn_gate.bias"),
    windows: readWindows(fields, architecture, sizes.depth),
    ...(architecture.startsWith("gemma") && readGemma(fields, architecture, sizes)),
  });
  fields.ignore(at("vocab_size"), at("attention.value_length"));
  fields.finish(`${architecture}.`);
  return { architecture, config };
}

function readArchitecture(fields: GgufFields, location: string): GgufArchitecture {
  const name = fields.text("general.architecture");
  const found = architectures.find((known) => known === name);
  if (found !== undefined) return found;
  throw new BasicError(
    "E_CONFIG",
    `${location} holds a model of the architecture "${name}". Supported are: ${architectures.join(", ")}.`,
  );
}

type Sizes = Pick<DecoderConfig, "width" | "depth" | "heads" | "keyValueHeads" | "headWidth" | "inner">;

function readSizes(fields: GgufFields, at: (name: string) => string, tensors: number): Sizes {
  const width = fields.number(at("embedding_length"));
  const heads = fields.number(at("attention.head_count"));
  if (heads < 1) throw fields.unsupported(at("attention.head_count"), "at least 1");
  const headWidth = fields.number(at("attention.key_length"), Math.floor(width / heads));
  if (fields.number(at("attention.value_length"), headWidth) !== headWidth) {
    throw fields.unsupported(at("attention.value_length"), `${headWidth}, as that of keys`);
  }
  if (fields.number(at("expert_count"), 0) !== 0) throw fields.unsupported(at("expert_count"), "0");
  return {
    width,
    heads,
    headWidth,
    depth: readDepth(fields, at("block_count"), tensors),
    keyValueHeads: fields.number(at("attention.head_count_kv"), heads),
    inner: fields.number(at("feed_forward_length")),
  };
}

/** Checked before anything is made for each block: a damaged number could ask for gigabytes. */
function readDepth(fields: GgufFields, name: string, tensors: number): number {
  const depth = fields.number(name);
  if (Number.isInteger(depth) && depth >= 1 && depth <= tensors) return depth;
  throw fields.unsupported(name, `a whole number from 1 to ${tensors}, the number of tensors`);
}

/** Gemma 2 has a window in every second block, beginning with the first. */
function readWindows(fields: GgufFields, architecture: GgufArchitecture, depth: number): readonly number[] {
  const name = `${architecture}.attention.sliding_window`;
  const window = fields.number(name, architecture === "gemma2" ? 4096 : 0);
  return Array.from({ length: depth }, (_, i) => (architecture === "gemma2" && i % 2 === 1 ? 0 : window));
}

/** Blocks of Gemma 2 27B, the one whose scores are not scaled by the width of a head. */
const GEMMA2_27B_DEPTH = 46;

function readGemma(
  fields: GgufFields,
  architecture: GgufArchitecture,
  { width, heads, headWidth, depth }: Sizes,
): Partial<DecoderConfig> {
  const common = { activation: "gelu-tanh", normAddOne: true, embeddingScale: Math.sqrt(width) } as const;
  if (architecture === "gemma") return common;
  const scaled = depth === GEMMA2_27B_DEPTH ? width / heads : headWidth;
  return {
    ...common,
    sandwichNorms: true,
    attentionScale: 1 / Math.sqrt(scaled),
    attentionSoftcap: fields.number("gemma2.attn_logit_softcapping", 50),
    headSoftcap: fields.number("gemma2.final_logit_softcapping", 30),
  };
}
