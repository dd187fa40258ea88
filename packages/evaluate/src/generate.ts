import {
  createRandom,
  type LanguageModel,
  type PackedRows,
  type Random,
  rowGather,
  runKernel,
} from "@basic-mllm/core";
import * as tf from "@tensorflow/tfjs-core";

/** How {@link generate} picks tokens and when it stops. */
export interface GenerateOptions {
  readonly maxTokens: number;
  /** Stops before this token; `null`: never. */
  readonly endOfSequence: number | null;
  /** 0 (default): the likeliest token. Otherwise draws from the distribution at this temperature. */
  readonly temperature?: number;
  readonly seed?: number;
  /** Called with each token as it comes. */
  readonly onToken?: (id: number) => void;
}

/** One sample to continue. */
export interface Prompt {
  /** Rows of one sample. */
  readonly packed: PackedRows;
  /** Visual embeddings `[N, D]`. */
  readonly visual: tf.Tensor2D | null;
}

/** Continues one prompt token by token, with a key-value cache. @returns The new token ids. */
export async function generate(
  language: LanguageModel,
  prompt: Prompt,
  options: GenerateOptions,
): Promise<readonly number[]> {
  const cache = language.createCache();
  const random = createRandom(options.seed ?? 0, "generate");
  const ids: number[] = [];
  try {
    let input: Prompt = prompt;
    let position = prompt.packed.ids.length;
    while (ids.length < options.maxTokens) {
      const logits = await lastLogits(language, { ...input, cache });
      const id = pick(logits, options.temperature ?? 0, random);
      if (id === options.endOfSequence) break;
      ids.push(id);
      options.onToken?.(id);
      input = { packed: oneToken(id, position), visual: null };
      position += 1;
    }
  } finally {
    cache.dispose();
  }
  return ids;
}

async function lastLogits(
  language: LanguageModel,
  input: Prompt & { readonly cache: ReturnType<LanguageModel["createCache"]> },
): Promise<Float32Array> {
  const logits = tf.tidy(() => {
    const { hidden } = language.forward(input);
    const rows = Int32Array.of(input.packed.ids.length - 1);
    const [last] = runKernel(rowGather, { x: hidden }, { rows });
    const { weight, softcap } = language.head;
    const raw = tf.matMul(last as tf.Tensor2D, weight, false, true);
    return softcap > 0 ? tf.mul(tf.tanh(tf.div(raw, softcap)), softcap) : raw;
  });
  const values = await logits.data<"float32">();
  logits.dispose();
  return values;
}

function oneToken(id: number, position: number): PackedRows {
  return {
    ids: Int32Array.of(id),
    offsets: Int32Array.of(0, 1),
    positions: Int32Array.of(position),
    images: [],
    countsAsText: Int32Array.of(1),
    labels: Int32Array.of(-100),
  };
}

function pick(logits: Float32Array, temperature: number, random: Random): number {
  const top = logits.reduce((best, value) => Math.max(best, value), Number.NEGATIVE_INFINITY);
  if (temperature <= 0) return logits.indexOf(top);
  const weights = Array.from(logits, (value) => Math.exp((value - top) / temperature));
  let rest = random.uniform() * weights.reduce((sum, weight) => sum + weight, 0);
  const found = weights.findIndex((weight) => {
    rest -= weight;
    return rest < 0;
  });
  return found >= 0 ? found : logits.indexOf(top);
}
