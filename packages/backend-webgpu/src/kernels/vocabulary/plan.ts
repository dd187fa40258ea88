import type * as tf from "@tensorflow/tfjs-core";

import type { WebGpuBackend } from "../../backend.js";
import { bindable, cut, type Run } from "../parts.js";

/** A matrix product is computed in tiles of 64 x 64, and bindings start at multiples of 64 elements. */
const TILE = 64;

/** With more rows than this, a word of the vocabulary is read often enough. */
const MOST_ROWS = 1024;

/** Sizes of products of rows with all words of a vocabulary. */
export interface VocabularySizes {
  readonly rows: number;
  readonly words: number;
  readonly width: number;
  /** Bytes of a block of logits. A tile is the least. */
  readonly chunkBytes: number;
}

/** Which rows meet which words at a time: every run of rows meets every chunk of words, in order. */
export interface VocabularyPlan {
  readonly rowRuns: readonly Run[];
  readonly wordRuns: readonly Run[];
  /** Most logits of a block. */
  readonly logits: number;
}

/**
 * Cuts rows and words so that blocks of logits stay within their bytes, and no array is larger than one binding.
 *
 * All words at once where at least a tile of rows may meet them: then a row's sums are known before its gradient is.
 */
export function planVocabulary(
  backend: WebGpuBackend,
  { rows, words, width, chunkBytes }: VocabularySizes,
): VocabularyPlan {
  const logits = Math.min(Math.floor(chunkBytes / 4), bindable(backend, 4));
  const boundWords = bindable(backend, width * 4);
  const atOnce = Math.floor(logits / Math.max(words, 1));
  const whole = words <= boundWords && atOnce >= Math.min(rows, TILE);
  const fewest = whole ? atOnce : Math.floor(logits / TILE);
  const rowRuns = cut(rows, Math.min(fewest, MOST_ROWS), TILE);
  const most = rowRuns[0]?.count ?? 0;
  const wordRuns = whole
    ? cut(words, words, 1)
    : cut(words, Math.min(Math.floor(logits / Math.max(most, 1)), boundWords), TILE);
  return { rowRuns, wordRuns, logits: most * (wordRuns[0]?.count ?? 0) };
}

/** The tensor of this name; made when it is first asked for. */
export type Reused = (name: string, shape: readonly number[]) => tf.TensorInfo;

/** Scratch that all runs share: the first one, which is the largest, makes it. */
export function reusing(scratch: (shape: readonly number[]) => tf.TensorInfo): Reused {
  const made = new Map<string, tf.TensorInfo>();
  return (name, shape) => {
    const tensor = made.get(name) ?? scratch(shape);
    made.set(name, tensor);
    return tensor;
  };
}
