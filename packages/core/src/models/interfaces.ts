import type * as tf from "@tensorflow/tfjs-core";

import type { ParameterSet } from "../parameters.js";

/** Rows and columns of the patches of an image; `null` where rows are not a grid (resamplers). */
export type Grid = readonly [height: number, width: number] | null;

/** Features or embeddings of several images, one image after the other. */
export interface VisualRows {
  /** `[N, width]`. */
  readonly rows: tf.Tensor2D;
  /** `[images + 1]`: image i is rows `offsets[i] .. offsets[i + 1]`. */
  readonly offsets: Int32Array;
  /** One per image. */
  readonly grids: readonly Grid[];
}

/** Pixels on the host, `[images, height, width, 3]`, normalised as the encoder wants them. */
export interface ImageBatch {
  readonly pixels: Float32Array;
  readonly shape: readonly [images: number, height: number, width: number, channels: 3];
}

/** {@link VisualRows} on the host: what a feature cache stores. */
export interface HostVisualRows {
  /** `[N, width]`, row-major. */
  readonly values: Float32Array;
  readonly width: number;
  readonly offsets: Int32Array;
  readonly grids: readonly Grid[];
}

/** Frozen features of images, computed outside the tape. May be anybody's: another library, a file. */
export interface FeatureSource {
  /** Changes whenever the features would: the cache is keyed by it. */
  readonly id: string;
  readonly width: number;
  /** Side of the square pictures it takes, in pixels. A recipe needs it; who passes pixels by hand does not. */
  readonly imageSize?: number;
  /** Features of pictures that the encoder's processor has fitted. */
  features(images: ImageBatch): Promise<HostVisualRows>;
}

/** Pixels to features, differentiable. */
export interface VisionEncoder {
  readonly width: number;
  readonly imageSize: number;
  readonly parameters: ParameterSet;
  /**
   * Features of pictures; differentiable.
   *
   * @param pixels - `[images, height, width, 3]`.
   */
  encode(pixels: tf.Tensor4D): VisualRows;
}

/** Features `[N, features]` to visual embeddings `[N', D]` at the LLM's input. */
export interface Projector {
  readonly parameters: ParameterSet;
  /** Differentiable. Rows of an image stay together, in order. */
  project(features: VisualRows): VisualRows;
  /** How many rows an image with this grid gives. The packer needs it before any device work. */
  gridAfter(grid: Grid, rows: number): { readonly rows: number; readonly grid: Grid };
}

/** Where an image stands in a packed batch. */
export interface ImageSpan {
  readonly sample: number;
  /** First packed row of the image. */
  readonly start: number;
  readonly length: number;
}

/** The tokens of all samples of a micro-batch, one sample after the other. No padding. */
export interface PackedRows {
  /** `[R]`: token id, or `-1 - n` where visual row n stands. */
  readonly ids: Int32Array;
  /** `[B + 1]`: sample b is rows `offsets[b] .. offsets[b + 1]`. */
  readonly offsets: Int32Array;
  /** `[R]`: position in the sample, for the rotary embedding. */
  readonly positions: Int32Array;
  /** In order of appearance; visual rows are numbered in this order. */
  readonly images: readonly ImageSpan[];
  /** `[R]`: 1 where the row is a text token that counts for patch weights. */
  readonly countsAsText: Int32Array;
  /** `[R]`: the token that row r is trained to predict (row r + 1 of the same sample), or -100. */
  readonly labels: Int32Array;
  /** `[R]`: weight of each label in the language loss. All 1 where absent. */
  readonly labelWeights?: Float32Array;
}

/** What supervision asks the decoder to watch. It stops paying for it after block `layerWeights.length`. */
export interface Observe {
  /** w_1..w_k of the refined embeddings; empty when they are not needed. */
  readonly layerWeights: readonly number[];
  /** Whether to accumulate a_j over the same k blocks. */
  readonly patchWeights: boolean;
  /** Whether the refined embeddings are detached (method.md, 8). */
  readonly stopGradient: boolean;
  /** Blocks (1-based; 0 = input) whose visual rows are returned as they are. */
  readonly blocks?: readonly number[];
}

/** What {@link LanguageModel.forward} returns. N = visual rows of the batch. */
export interface Observed {
  /** Output of the final norm, `[R, D]`. */
  readonly hidden: tf.Tensor2D;
  /** v̂, `[N, D]`. */
  readonly refined?: tf.Tensor2D;
  /** a_j before normalisation (method.md, 4), `[N]`, detached. */
  readonly patchWeights?: tf.Tensor1D;
  /** Visual rows `[N, D]` after the blocks that were asked for. */
  readonly blocks: ReadonlyMap<number, tf.Tensor2D>;
}

/** The vocabulary projection. Tied heads share the tensor of the embedding table. */
export interface Head {
  /** `[V, D]`. */
  readonly weight: tf.Tensor2D;
  readonly trainable: boolean;
  /** Final logits cap of Gemma 2; 0 = none. */
  readonly softcap: number;
}

/** Keys and values of the rows seen so far, for generation. Made by the model, disposed by the caller. */
export interface KeyValueCache {
  /** Rows of each sample. */
  readonly lengths: readonly number[];
  /** Rows of the first sample. */
  readonly length: number;
  /**
   * Forgets the rows of a sample from `length` on, so that others can follow there.
   *
   * @throws BasicError `E_INDEX_RANGE` where there are fewer rows, or no such sample.
   */
  truncate(length: number, sample?: number): void;
  /** Frees all keys and values. */
  dispose(): void;
}

/** What {@link LanguageModel.forward} reads. */
export interface LanguageInput {
  readonly packed: PackedRows;
  /** Visual embeddings `[N, D]`; null for text only. */
  readonly visual: tf.Tensor2D | null;
  /**
   * Attends to the cached rows before these, and appends to the cache. As many samples as it was made for; one without new
   * rows has none in `packed`.
   */
  readonly cache?: KeyValueCache;
}

/** A causal language model over packed rows. {@link createDecoder} makes ours. */
export interface LanguageModel {
  readonly depth: number;
  readonly width: number;
  readonly vocabularySize: number;
  readonly parameters: ParameterSet;
  /** E `[V, D]`: the stored input embedding table. */
  readonly vocabulary: tf.Tensor2D;
  readonly head: Head;
  /** Runs all blocks; differentiable. @throws BasicError `E_INDEX_RANGE` for an id outside of the vocabulary. */
  forward(input: LanguageInput, observe?: Observe): Observed;
  /**
   * Next-token logits `[R, V]` of final hidden states `[R, D]`; where the model keeps its head packed, without decoding it.
   * Default: by {@link head}.
   */
  logits?(hidden: tf.Tensor2D): tf.Tensor2D;
  /** An empty cache, for one sample unless told otherwise. */
  createCache(samples?: number): KeyValueCache;
}
