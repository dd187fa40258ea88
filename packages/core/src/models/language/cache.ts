import * as tf from "@tensorflow/tfjs-core";

import { BasicError } from "../../errors.js";
import type { LayerCache } from "../../layers/attention.js";
import type { KeyValueCache, PackedRows } from "../interfaces.js";

/** Keys and values of every block for one sample; grows with each forward pass. */
export class DecoderCache implements KeyValueCache {
  readonly #layers: readonly GrowingRows[];

  /** @param depth - Blocks of the decoder. */
  constructor(depth: number) {
    this.#layers = Array.from({ length: depth }, () => new GrowingRows());
  }

  /** Rows seen so far. */
  get length(): number {
    return this.#layers[0]?.length ?? 0;
  }

  /** The cache of one block. */
  layer(index: number): LayerCache {
    const layer = this.#layers[index];
    if (layer === undefined) {
      throw new BasicError(
        "E_CONFIG",
        `forward: the cache was made for ${this.#layers.length} blocks. Make it with this model's createCache().`,
      );
    }
    return layer;
  }

  /**
   * Checks that `packed` continues the cached rows.
   *
   * @throws {@link BasicError} `E_SHAPE` for several samples, `E_INDEX_RANGE` when positions leave a gap.
   */
  check(packed: PackedRows): void {
    if (packed.offsets.length !== 2) {
      throw new BasicError(
        "E_SHAPE",
        `forward: a cache holds one sample, but ${packed.offsets.length - 1} samples were given. Use one cache per sample.`,
      );
    }
    const wrong = packed.positions.findIndex((position, row) => position !== this.length + row);
    if (wrong >= 0) {
      throw new BasicError(
        "E_INDEX_RANGE",
        `forward: the cache holds ${this.length} rows, so row ${wrong} stands at position ${this.length + wrong}, ` +
          `but \`positions\` says ${packed.positions[wrong]}. Count on from the cached rows without gaps.`,
      );
    }
  }

  dispose(): void {
    for (const layer of this.#layers) layer.dispose();
  }
}

class GrowingRows implements LayerCache {
  #keys: tf.Tensor2D | undefined;
  #values: tf.Tensor2D | undefined;

  get length(): number {
    return this.#keys?.shape[0] ?? 0;
  }

  extend(keys: tf.Tensor2D, values: tf.Tensor2D): { keys: tf.Tensor2D; values: tf.Tensor2D } {
    this.#keys = joined(this.#keys, keys);
    this.#values = joined(this.#values, values);
    return { keys: this.#keys, values: this.#values };
  }

  dispose(): void {
    this.#keys?.dispose();
    this.#values?.dispose();
    this.#keys = undefined;
    this.#values = undefined;
  }
}

function joined(before: tf.Tensor2D | undefined, rows: tf.Tensor2D): tf.Tensor2D {
  const all = tf.keep(before === undefined ? tf.clone(rows) : tf.concat([before, rows], 0));
  before?.dispose();
  return all;
}
