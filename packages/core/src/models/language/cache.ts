import * as tf from "@tensorflow/tfjs-core";

import { BasicError } from "../../errors.js";
import type { LayerCache } from "../../layers/attention.js";
import type { KeyValueCache, PackedRows } from "../interfaces.js";

/** Fewest rows of room that a buffer is made with. */
const ROOM = 64;

/** Keys and values of every block, in buffers that double when they are full. */
export class DecoderCache implements KeyValueCache {
  readonly #layers: readonly LayerBuffers[];
  #lengths: readonly number[];
  /** Rows of room that the buffers have, or get before the next rows. */
  #room = ROOM;

  /** @param depth - Blocks of the decoder. @param samples - At least 1. */
  constructor(depth: number, samples = 1) {
    if (!Number.isSafeInteger(samples) || samples < 1) {
      throw new BasicError(
        "E_CONFIG",
        `createCache: the number of samples must be a whole number of at least 1, got ${samples}. Correct it.`,
      );
    }
    this.#lengths = new Array<number>(samples).fill(0);
    this.#layers = Array.from({ length: depth }, () => new LayerBuffers(this));
  }

  get lengths(): readonly number[] {
    return this.#lengths;
  }

  get length(): number {
    return this.#lengths[0] ?? 0;
  }

  /** Rows of room for each sample. */
  get room(): number {
    return this.#room;
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
   * Checks that `packed` continues the cached rows, and makes room for it.
   *
   * @throws {@link BasicError} `E_SHAPE` for another number of samples, `E_INDEX_RANGE` when positions leave a gap.
   */
  prepare(packed: PackedRows): void {
    const samples = packed.offsets.length - 1;
    if (samples !== this.#lengths.length) {
      throw new BasicError(
        "E_SHAPE",
        `forward: a cache for ${this.#lengths.length} samples got ${samples}. Make it with createCache(samples), and keep a place for samples without new rows.`,
      );
    }
    for (const [sample, length] of this.#lengths.entries()) {
      const [from, to] = [packed.offsets[sample] as number, packed.offsets[sample + 1] as number];
      for (let row = from; row < to; row++) {
        const expected = length + row - from;
        if (packed.positions[row] !== expected) throw gap({ length, row, expected }, packed);
      }
      const needed = length + to - from;
      if (needed > this.#room) this.#room = Math.max(needed, 2 * this.#room);
    }
  }

  /** Counts the rows of `packed`, which all blocks have seen. */
  advance({ offsets }: PackedRows): void {
    this.#lengths = this.#lengths.map(
      (length, s) => length + (offsets[s + 1] as number) - (offsets[s] as number),
    );
  }

  truncate(length: number, sample = 0): void {
    const held = this.#lengths[sample];
    if (held === undefined || !Number.isSafeInteger(length) || length < 0 || length > held) {
      const holds = held === undefined ? `it has ${this.#lengths.length} samples` : `it holds ${held} rows`;
      throw new BasicError(
        "E_INDEX_RANGE",
        `truncate: cannot keep ${length} rows of sample ${sample} of the cache: ${holds}.`,
      );
    }
    this.#lengths = this.#lengths.map((before, s) => (s === sample ? length : before));
  }

  dispose(): void {
    for (const layer of this.#layers) layer.dispose();
    this.#lengths = this.#lengths.map(() => 0);
    this.#room = ROOM;
  }
}

function gap(
  { length, row, expected }: { readonly length: number; readonly row: number; readonly expected: number },
  { positions }: PackedRows,
): BasicError {
  return new BasicError(
    "E_INDEX_RANGE",
    `forward: the cache holds ${length} rows, so row ${row} stands at position ${expected}, ` +
      `but \`positions\` says ${positions[row]}. Count on from the cached rows without gaps.`,
  );
}

class LayerBuffers implements LayerCache {
  readonly #cache: DecoderCache;
  #keys: tf.Tensor3D | undefined;
  #values: tf.Tensor3D | undefined;

  constructor(cache: DecoderCache) {
    this.#cache = cache;
  }

  get starts(): Int32Array {
    return Int32Array.from(this.#cache.lengths);
  }

  buffers(width: number): { keys: tf.Tensor3D; values: tf.Tensor3D } {
    this.#keys = this.#withRoom(this.#keys, width);
    this.#values = this.#withRoom(this.#values, width);
    return { keys: this.#keys, values: this.#values };
  }

  keep(keys: tf.Tensor3D, values: tf.Tensor3D): void {
    this.dispose();
    this.#keys = tf.keep(keys);
    this.#values = tf.keep(values);
  }

  dispose(): void {
    this.#keys?.dispose();
    this.#values?.dispose();
    this.#keys = undefined;
    this.#values = undefined;
  }

  #withRoom(before: tf.Tensor3D | undefined, width: number): tf.Tensor3D {
    const { lengths, room } = this.#cache;
    const have = before?.shape[1] ?? 0;
    if (before !== undefined && have >= room) return before;
    const more = tf.zeros([lengths.length, room - have, width]) as tf.Tensor3D;
    const all = before === undefined ? more : tf.concat([before, more], 1);
    if (before !== undefined) {
      before.dispose();
      more.dispose();
    }
    return tf.keep(all);
  }
}
