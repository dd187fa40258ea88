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
/** Elements from which on a block is worth freeing for another one, or using for a tensor of the class below. */
const LARGE = 2 ** 14;
/** Memory may be this many times what tensors have needed at most, before blocks of other sizes are freed. */
const SLACK = 1.2;

/**
 * Native memory for tensors. Blocks come in size classes, go back when a tensor is disposed, and are used again.
 * Before memory grows a fifth beyond what tensors have needed, blocks that have been idle the longest are freed.
 * The garbage collector has no part in it.
 */
export class BlockPool {
  readonly #native: BlockSource;
  readonly #free = new Map<number, Block[]>();
  /** Large blocks that are held, those that were given back first at the front. */
  readonly #idle = new Set<Block>();
  readonly #heldLimit: number;
  #liveBytes = 0;
  #heldBytes = 0;
  #peakBytes = 0;
  #peakLive = 0;

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
    const block = this.#reuse(size) ?? this.#grow(size);
    this.#liveBytes += bytesOf(block);
    this.#peakLive = Math.max(this.#peakLive, this.#liveBytes);
    if (block.view.length !== length) block.view = block.whole.subarray(0, length);
    return block;
  }

  /** Takes back what {@link take} gave. A second call does nothing. */
  give(block: Block): void {
    if (!block.inUse) return;
    block.inUse = false;
    const bytes = bytesOf(block);
    this.#liveBytes -= bytes;
    if (this.#heldBytes + bytes > this.#heldLimit) {
      this.#native.freeBlock(block.whole);
      return;
    }
    this.#heldBytes += bytes;
    this.#hold(block);
  }

  #hold(block: Block): void {
    const size = block.whole.length;
    const list = this.#free.get(size);
    if (list === undefined) this.#free.set(size, [block]);
    else list.push(block);
    if (size >= LARGE) this.#idle.add(block);
  }

  /** A held block of the class, or a large one of the next class. */
  #reuse(size: number): Block | undefined {
    const block =
      this.#free.get(size)?.pop() ?? (size < LARGE ? undefined : this.#free.get(sizeClass(size + 1))?.pop());
    if (block === undefined) return undefined;
    this.#idle.delete(block);
    this.#heldBytes -= bytesOf(block);
    block.inUse = true;
    return block;
  }

  #grow(size: number): Block {
    const bytes = size * BYTES;
    const total = () => this.#liveBytes + this.#heldBytes + bytes;
    const most = Math.max(this.#peakLive, this.#liveBytes + bytes) * SLACK;
    for (const block of this.#idle) {
      if (total() <= most) break;
      // The first of its class as well: blocks are taken from the end.
      this.#free.get(block.whole.length)?.shift();
      this.#idle.delete(block);
      this.#heldBytes -= bytesOf(block);
      this.#native.freeBlock(block.whole);
    }
    const block = new Block(this.#native.allocateBlock(size));
    this.#peakBytes = Math.max(this.#peakBytes, total());
    return block;
  }

  /** Frees all blocks that are held for reuse. */
  trim(): void {
    for (const list of this.#free.values()) {
      for (const block of list) this.#native.freeBlock(block.whole);
    }
    this.#free.clear();
    this.#idle.clear();
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
    twin.#peakLive = this.#peakLive;
    twin.#peakBytes = this.#liveBytes + this.#heldBytes;
    const copyOf = (block: Block) => {
      const copy = new Block(source.allocateBlock(block.whole.length));
      copy.inUse = false;
      return copy;
    };
    for (const block of this.#idle) twin.#hold(copyOf(block));
    for (const blocks of this.#free.values()) {
      for (const block of blocks) if (!this.#idle.has(block)) twin.#hold(copyOf(block));
    }
    return twin;
  }

  /** Bytes in use and held for reuse. */
  use(): PoolUse {
    return { liveBytes: this.#liveBytes, heldBytes: this.#heldBytes };
  }
}

function bytesOf(block: Block): number {
  return block.whole.length * BYTES;
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
