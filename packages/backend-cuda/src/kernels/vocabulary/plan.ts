import type * as tf from "@tensorflow/tfjs-core";

import type { Part } from "../../arguments.js";
import type { CudaBackend } from "../../backend.js";
import type { ElementStorage } from "../../memory/storage.js";

/** Fewer rows or words at a time would leave tiles of a product idle. */
const TILE = 64;

/** With more rows than this, a word of the vocabulary is read often enough. */
const MOST_ROWS = 1024;

/** Neighbours in a longer row of them. */
export interface Run {
  readonly first: number;
  readonly count: number;
}

/** Sizes of products of rows with all words of a vocabulary. */
export interface VocabularySizes {
  readonly rows: number;
  readonly words: number;
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
 * Cuts rows and words so that blocks of logits stay within their bytes.
 *
 * All words at once where at least a tile of rows may meet them: then a row's sums are known before its gradient is.
 */
export function planVocabulary({ rows, words, chunkBytes }: VocabularySizes): VocabularyPlan {
  const logits = Math.floor(chunkBytes / 4);
  const atOnce = Math.floor(logits / Math.max(words, 1));
  const whole = atOnce >= Math.min(rows, TILE);
  const rowRuns = cut(rows, Math.min(whole ? atOnce : Math.floor(logits / TILE), MOST_ROWS));
  const most = rowRuns[0]?.count ?? 1;
  const wordRuns = cut(words, whole ? words : Math.floor(logits / most));
  return { rowRuns, wordRuns, logits: most * (wordRuns[0]?.count ?? 0) };
}

/** Cuts `count` things into runs of at most `most`: multiples of a tile where it is that many, and a tile where it is less. */
function cut(count: number, most: number): readonly Run[] {
  const each = most >= count ? Math.max(count, 1) : Math.max(TILE, Math.floor(most / TILE) * TILE);
  return Array.from({ length: Math.ceil(count / each) }, (_, i) => ({
    first: i * each,
    count: Math.min(each, count - i * each),
  }));
}

/** Rows of a matrix as something to pass to a kernel. */
export function rowsOf(tensor: tf.TensorInfo, { first, count }: Run, width: number): Part {
  return { tensor, offset: first * width, length: count * width };
}

/** The tensor of this name; made when it is first asked for. */
export type Reused = (name: string, shape: readonly number[], storage?: ElementStorage) => tf.TensorInfo;

/** Scratch that all runs share: the first one, which is the largest, makes it. */
export function reusing(scratch: CudaBackend["allocate"]): Reused {
  const made = new Map<string, tf.TensorInfo>();
  return (name, shape, storage) => {
    const tensor = made.get(name) ?? scratch(shape, "float32", storage);
    made.set(name, tensor);
    return tensor;
  };
}
