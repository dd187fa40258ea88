import { BasicError } from "../../errors.js";
import type { GateActivation } from "../../layers/mlp.js";
import type { RotaryConfig } from "../../layers/rotary.js";

/**
 * One decoder for Llama, Vicuna, Mistral, Qwen2, Qwen3, Gemma, Gemma 2, Phi 3 and their relatives: what tells them
 * apart are fields.
 */
export interface DecoderConfig {
  readonly vocabularySize: number;
  readonly width: number;
  /** Number of blocks. */
  readonly depth: number;
  readonly heads: number;
  readonly keyValueHeads: number;
  readonly headWidth: number;
  /** Inner width of the feed-forward layer. */
  readonly inner: number;
  readonly activation: GateActivation;
  readonly normEpsilon: number;
  /** Gemma: norms multiply by `1 + weight`. */
  readonly normAddOne: boolean;
  /** Gemma 2: norms after attention and feed-forward as well as before. */
  readonly sandwichNorms: boolean;
  /** Qwen3: RMS norm of each query and key head. */
  readonly headNorm: boolean;
  /** Bias of the query, key and value products. */
  readonly inputBias: boolean;
  /** Bias of the attention's output product. */
  readonly outputBias: boolean;
  readonly mlpBias: boolean;
  /** Phi 3: checkpoints hold query, key and value in one matrix, gate and up in another. Parameters are apart here. */
  readonly fusedProducts: boolean;
  /** Whether the head shares the embedding table. */
  readonly tiedHead: boolean;
  /** Factor on q · k; 1/√headWidth in most models. */
  readonly attentionScale: number;
  /** Cap on attention scores; 0 = none. */
  readonly attentionSoftcap: number;
  /** Cap on logits; 0 = none. */
  readonly headSoftcap: number;
  /** One window per block; 0 = none. */
  readonly windows: readonly number[];
  readonly rotary: RotaryConfig;
  /** Factor on the input rows, visual rows included: √D in Gemma, else 1. */
  readonly embeddingScale: number;
  /** Longest text the model was made for. */
  readonly positions: number;
  /** Standard deviation of first values. */
  readonly initialStd: number;
}

/** What {@link decoderConfig} cannot guess. */
export type DecoderSizes = Pick<DecoderConfig, "vocabularySize" | "width" | "depth" | "heads" | "inner">;

/**
 * A Llama-shaped config: the fields given, and Llama's choice for the others.
 *
 * @throws {@link BasicError} `E_CONFIG` when sizes do not fit together.
 */
export function decoderConfig(fields: DecoderSizes & Partial<DecoderConfig>): DecoderConfig {
  const headWidth = fields.headWidth ?? fields.width / fields.heads;
  const config: DecoderConfig = {
    keyValueHeads: fields.heads,
    headWidth,
    activation: "silu",
    normEpsilon: 1e-5,
    normAddOne: false,
    sandwichNorms: false,
    headNorm: false,
    inputBias: false,
    outputBias: false,
    mlpBias: false,
    fusedProducts: false,
    tiedHead: false,
    attentionScale: 1 / Math.sqrt(headWidth),
    attentionSoftcap: 0,
    headSoftcap: 0,
    windows: Array.from({ length: fields.depth }, () => 0),
    rotary: { base: 10_000, width: headWidth, scaling: null },
    embeddingScale: 1,
    positions: 2048,
    initialStd: 0.02,
    ...fields,
  };
  checkSizes(config);
  return config;
}

function checkSizes(config: DecoderConfig): void {
  const sizes = ["vocabularySize", "width", "depth", "heads", "keyValueHeads", "headWidth", "inner"] as const;
  for (const field of sizes) {
    if (!Number.isInteger(config[field]) || config[field] <= 0) {
      throw new BasicError(
        "E_CONFIG",
        `decoderConfig: \`${field}\` must be a positive whole number, got ${config[field]}. Set it to that of the model's weights.`,
      );
    }
  }
  if (config.heads % config.keyValueHeads !== 0) {
    throw new BasicError(
      "E_CONFIG",
      `decoderConfig: ${config.heads} heads cannot share ${config.keyValueHeads} key-value heads. ` +
        "Make `heads` a multiple of `keyValueHeads`.",
    );
  }
  if (config.windows.length !== config.depth) {
    throw new BasicError(
      "E_CONFIG",
      `decoderConfig: \`windows\` needs one entry per block: expected ${config.depth}, got ${config.windows.length}. Write 0 for a block without a window.`,
    );
  }
}
