import { BasicError } from "@basic-mllm/core";

import type { NativeBindings } from "./bindings.js";

/** Memory of one tensor: a view of the right length over a native block. */
export class Block {
  readonly whole: Float32Array;
  view: Float32Array;
  inUse = true;

  constructor(whole: Float32Array) {
    this.whole = whole;
    this.view = whole;
  }
}

/** Bytes of native memory: in tensors, and kept for reuse. */
export interface PoolUse {
  readonly liveBytes: number;
  readonly heldBytes: number;
}

const SMALLEST_CLASS = 16;
/** Native code counts elements in 32 bits: a larger number would lose its upper ones on the way. */
const MOST_ELEMENTS = 2 ** 32 - 1;
const BYTES = Float32Array.BYTES_PER_ELEMENT;

/** Where blocks come from. */
export type BlockSource = Pick<NativeBindings, "allocateBlock" | "freeBlock">;

/** Freed blocks are kept up to this many bytes, unless asked otherwise. */
const DEFAULT_HELD_BYTES = 2 ** 31;

/**
 * Native memory for tensors. Blocks come in size classes, go back when a tensor is disposed, and are used again.
 * The garbage collector has no part in it.
 */
export class BlockPool {
  readonly #native: BlockSource;
  readonly #free = new Map<number, Block[]>();
  readonly #heldLimit: number;
  #liveBytes = 0;
  #heldBytes = 0;
  #peakBytes = 0;

  constructor(native: BlockSource, heldLimit = DEFAULT_HELD_BYTES) {
    this.#native = native;
    this.#heldLimit = heldLimit;
  }

  /**
   * A block whose view has `length` elements of arbitrary content.
   *
   * @throws BasicError `E_SHAPE` for more elements than a tensor can have.
   */
  take(length: number): Block {
    const size = sizeClass(length);
    if (!(size <= MOST_ELEMENTS)) throw tooManyElements(length);
    const bytes = size * BYTES;
    let block = this.#free.get(size)?.pop();
    if (block === undefined) {
      block = new Block(this.#native.allocateBlock(size));
      this.#peakBytes = Math.max(this.#peakBytes, this.#liveBytes + this.#heldBytes + bytes);
    } else {
      this.#heldBytes -= bytes;
      block.inUse = true;
    }
    this.#liveBytes += bytes;
    if (block.view.length !== length) block.view = block.whole.subarray(0, length);
    return block;
  }

  /** Takes back what {@link take} gave. A second call does nothing. */
  give(block: Block): void {
    if (!block.inUse) return;
    block.inUse = false;
    const size = block.whole.length;
    this.#liveBytes -= size * BYTES;
    if (this.#heldBytes + size * BYTES > this.#heldLimit) {
      this.#native.freeBlock(block.whole);
      return;
    }
    this.#heldBytes += size * BYTES;
    const list = this.#free.get(size);
    if (list === undefined) this.#free.set(size, [block]);
    else list.push(block);
  }

  /** Frees all blocks that are held for reuse. */
  trim(): void {
    for (const list of this.#free.values()) {
      for (const block of list) this.#native.freeBlock(block.whole);
    }
    this.#free.clear();
    this.#heldBytes = 0;
  }

  /** Most bytes that existed at a time, in use or held. */
  get peakBytes(): number {
    return this.#peakBytes;
  }

  /** A pool with blocks of another source, in use and held as many as here: what it does, this one would do. */
  twin(source: BlockSource): BlockPool {
    const twin = new BlockPool(source, this.#heldLimit);
    twin.#liveBytes = this.#liveBytes;
    twin.#heldBytes = this.#heldBytes;
    twin.#peakBytes = this.#liveBytes + this.#heldBytes;
    for (const [size, blocks] of this.#free) {
      const copies = blocks.map(() => new Block(source.allocateBlock(size)));
      for (const copy of copies) copy.inUse = false;
      twin.#free.set(size, copies);
    }
    return twin;
  }

  /** Bytes in use and held for reuse. */
  use(): PoolUse {
    return { liveBytes: this.#liveBytes, heldBytes: this.#heldBytes };
  }
}

function tooManyElements(length: number): BasicError {
  return new BasicError(
    "E_SHAPE",
    `A tensor of the CPU backend holds at most ${MOST_ELEMENTS} elements, but one of ${length} is asked for. ` +
      "Use smaller batches, or look for a size that is wrong.",
  );
}

/** Elements of the block for `length` elements: four steps per doubling, so at most a fifth is unused. */
export function sizeClass(length: number): number {
  if (length <= SMALLEST_CLASS) return SMALLEST_CLASS;
  const step = Math.max(SMALLEST_CLASS, 2 ** (Math.floor(Math.log2(length - 1)) - 2));
  return Math.ceil(length / step) * step;
}
