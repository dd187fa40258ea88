import { type BatchWords, type LanguageModel, nearestTokens, type PackedRows } from "@basic-mllm/core";
import * as tf from "@tensorflow/tfjs-core";

import type { BlockShare, MatchedPatch } from "./report/data.js";

/** A batch whose visual rows are matched with words. */
export interface MatchingBatch {
  readonly packed: PackedRows;
  readonly words?: BatchWords;
}

/** A model whose visual rows are matched. */
export interface MatchingModel<Batch extends MatchingBatch> {
  readonly language: LanguageModel;
  /** Visual embeddings `[N, D]`. Called inside of `tf.tidy`. */
  readonly embed: (batch: Batch) => tf.Tensor2D;
  /** Text of token ids. */
  readonly decode: (ids: readonly number[]) => string;
}

/** How {@link matchTokens} goes on. */
export interface MatchOptions {
  /** Called after each block of each batch with how many are done, and awaited; what it throws ends the matching. */
  readonly onProgress?: (done: number, total: number) => void | Promise<void>;
}

/** What {@link matchTokens} found. */
export interface TokenMatches {
  /** Block 0 is the projector's output. */
  readonly shares: readonly BlockShare[];
  /** Matches of the projector's output, one list per image in order of appearance. */
  readonly initial: readonly (readonly MatchedPatch[])[];
}

/**
 * The paper's analysis: the vocabulary word nearest (cosine) to each visual embedding, at the input and after each block.
 *
 * @param batches - Each sample with its words; samples without an image are passed over.
 */
export async function matchTokens<Batch extends MatchingBatch>(
  model: MatchingModel<Batch>,
  batches: readonly Batch[],
  { onProgress }: MatchOptions = {},
): Promise<TokenMatches> {
  const blocks = Array.from({ length: model.language.depth + 1 }, (_, block) => block);
  const tallies = blocks.map(
    (block): Tally => ({ block, meaningful: 0, strict: 0, rows: 0, words: new Set() }),
  );
  const initial: MatchedPatch[][] = [];
  let done = 0;
  for (const batch of batches) {
    const rows = visualRows(model, batch, blocks);
    try {
      for (const tally of tallies) {
        const hidden = rows[tally.block] as tf.Tensor2D;
        const tokens = await nearestTokens(hidden, model.language.vocabulary);
        hidden.dispose();
        const patches = judge(
          batch,
          [...tokens].map((id) => model.decode([id]).trim()),
        );
        count(tally, tokens, patches);
        if (tally.block === 0) initial.push(...perImage(batch, patches));
        done += 1;
        await onProgress?.(done, batches.length * blocks.length);
      }
    } finally {
      tf.dispose([...rows]);
    }
  }
  const shares = tallies.map(({ block, meaningful, strict, rows, words }) => ({
    block,
    meaningful: meaningful / Math.max(1, rows),
    strict: strict / Math.max(1, rows),
    distinct: words.size,
  }));
  return { shares, initial };
}

/** What was found after one block. */
interface Tally {
  readonly block: number;
  meaningful: number;
  strict: number;
  rows: number;
  readonly words: Set<number>;
}

function count(tally: Tally, tokens: Int32Array, patches: readonly JudgedPatch[]): void {
  for (const token of tokens) tally.words.add(token);
  tally.rows += tokens.length;
  tally.meaningful += patches.filter((patch) => patch.meaningful).length;
  tally.strict += patches.filter((patch) => patch.strict).length;
}

/** Visual rows after each block, not on a tape; the caller disposes them. */
function visualRows<Batch extends MatchingBatch>(
  model: MatchingModel<Batch>,
  batch: Batch,
  blocks: readonly number[],
): readonly tf.Tensor2D[] {
  return tf.tidy(() => {
    const observe = { layerWeights: [], patchWeights: false, stopGradient: true, blocks };
    const seen = model.language.forward({ packed: batch.packed, visual: model.embed(batch) }, observe);
    return blocks.map((block) => tf.clone(seen.blocks.get(block) as tf.Tensor2D));
  });
}

interface JudgedPatch extends MatchedPatch {
  readonly strict: boolean;
}

function judge({ packed, words }: MatchingBatch, found: readonly string[]): readonly JudgedPatch[] {
  const samples = packed.images.flatMap(({ sample, length }) => new Array<number>(length).fill(sample));
  return found.map((word, row) => ({
    word,
    meaningful: words?.samples[samples[row] ?? -1]?.has(word) ?? false,
    strict: words?.rows?.[row]?.has(word) ?? false,
  }));
}

function perImage({ packed }: MatchingBatch, patches: readonly JudgedPatch[]): MatchedPatch[][] {
  let start = 0;
  return packed.images.map(({ length }) => {
    const own = patches.slice(start, start + length).map(({ word, meaningful }) => ({ word, meaningful }));
    start += length;
    return own;
  });
}

/**
 * Raw patch weights a_j of each image: the attention that question and answer pay to its rows in the first k blocks.
 *
 * @param depth - k.
 * @returns One list per image, in order of appearance.
 */
export async function patchAttention<Batch extends MatchingBatch>(
  model: MatchingModel<Batch>,
  batch: Batch,
  depth: number,
): Promise<readonly (readonly number[])[]> {
  const weights = tf.tidy(() => {
    const layerWeights = new Array<number>(depth).fill(1 / depth);
    const observe = { layerWeights, patchWeights: true, stopGradient: true };
    const seen = model.language.forward({ packed: batch.packed, visual: model.embed(batch) }, observe);
    return tf.clone(seen.patchWeights as tf.Tensor1D);
  });
  const values = await weights.data();
  weights.dispose();
  let start = 0;
  return batch.packed.images.map(({ length }) => {
    const own = Array.from(values.subarray(start, start + length));
    start += length;
    return own;
  });
}

/** The paper's replacement test: each visual embedding `[N, D]` becomes the vocabulary row nearest to it by cosine. */
export function replaceWithNearest(visual: tf.Tensor2D, vocabulary: tf.Tensor2D): tf.Tensor2D {
  return tf.tidy(() => {
    const similarity = tf.matMul(unit(visual), unit(vocabulary), false, true);
    return tf.gather(vocabulary, tf.argMax(similarity, 1));
  });
}

function unit(x: tf.Tensor2D): tf.Tensor2D {
  return tf.mul(x, tf.rsqrt(tf.add(tf.sum(tf.square(x), 1, true), 1e-24)));
}
