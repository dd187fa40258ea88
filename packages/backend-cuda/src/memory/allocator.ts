/** Where an allocator takes memory from. */
export interface DeviceMemory {
  /** Address of new memory with arbitrary content; undefined where there is none left. */
  allocate(bytes: number): number | undefined;
  /** Gives memory back, after everything that was enqueued so far. */
  release(address: number): void;
  /** Waits until released memory can be allocated in any size. */
  trim(): void;
}

/** Memory of the device. Its content is arbitrary. */
export interface Block {
  readonly address: number;
  /** Size of its class: at least what was asked for. */
  readonly bytes: number;
}

/** Counters of an allocator, in bytes and calls. */
export interface MemoryStatistics {
  /** In blocks that are in use. */
  readonly usedBytes: number;
  /** In all blocks. */
  readonly reservedBytes: number;
  readonly peakUsedBytes: number;
  readonly peakReservedBytes: number;
  readonly usedBlocks: number;
  /** Calls of `allocate`, and how many of them took a free block. */
  readonly allocations: number;
  readonly reused: number;
  /** Times that all free blocks were given back because memory was short. */
  readonly flushes: number;
}

/** How an allocator behaves. */
export interface AllocatorOptions {
  readonly memory: DeviceMemory;
  /** Bytes that it never exceeds. Default: what the device has. */
  readonly limit?: number | undefined;
  /**
   * Blocks are as large as asked for, new each time, and go back at once: tools that watch memory then see every access
   * beyond an end, and every read of what was not written. Slow.
   */
  readonly exact?: boolean | undefined;
  /** The error where there is no memory for so many bytes even without free blocks. */
  readonly explain: (bytes: number, statistics: MemoryStatistics) => Error;
}

/** Addresses are multiples of this, as those of the driver. */
const SMALLEST = 512;

/** A free block may be larger than asked for by so many classes, each an eighth of a power of two. */
const LARGER_CLASSES = 2;

/**
 * Blocks by size class that are used again as soon as they are free: commands go through one stream, so the next user of
 * a block runs after the one before. Row counts of packed batches differ from step to step; classes between powers of
 * two make blocks fit all the same.
 */
export class CachingAllocator {
  readonly #options: AllocatorOptions;
  readonly #free = new Map<number, Block[]>();
  readonly #used = new Set<Block>();
  readonly #counts = {
    usedBytes: 0,
    reservedBytes: 0,
    peakUsedBytes: 0,
    peakReservedBytes: 0,
    allocations: 0,
    reused: 0,
    flushes: 0,
  };

  constructor(options: AllocatorOptions) {
    this.#options = options;
  }

  /** A copy of the counters. */
  get statistics(): MemoryStatistics {
    return { ...this.#counts, usedBlocks: this.#used.size };
  }

  /** An allocator of other memory that starts with as many free blocks of each size, and nothing in use. */
  twin(memory: DeviceMemory): CachingAllocator {
    const twin = new CachingAllocator({ memory, explain: this.#options.explain });
    for (const { bytes } of [...this.#free.values()].flat()) twin.#reserveFree(bytes);
    return twin;
  }

  #reserveFree(bytes: number): void {
    const address = this.#request(bytes);
    if (address === undefined) return;
    this.#keep({ address, bytes });
    this.#counts.reservedBytes += bytes;
    this.#counts.peakReservedBytes += bytes;
  }

  /** Sets the peaks to what is used and reserved now. */
  resetPeaks(): void {
    this.#counts.peakUsedBytes = this.#counts.usedBytes;
    this.#counts.peakReservedBytes = this.#counts.reservedBytes;
  }

  /** A block of at least so many bytes. When memory is short, free blocks are given back first. */
  allocate(bytes: number): Block {
    const { exact = false } = this.#options;
    const size = exact ? Math.max(bytes, 4) : classOf(bytes);
    const counts = this.#counts;
    const kept = exact ? undefined : this.#takeFree(size);
    const block = kept ?? this.#reserve(size);
    counts.allocations++;
    if (kept !== undefined) counts.reused++;
    counts.usedBytes += block.bytes;
    counts.peakUsedBytes = Math.max(counts.peakUsedBytes, counts.usedBytes);
    this.#used.add(block);
    return block;
  }

  /** Takes a block back. Commands that were enqueued before may still use it. */
  release(block: Block): void {
    if (!this.#used.delete(block)) return;
    this.#counts.usedBytes -= block.bytes;
    this.#keep(block);
  }

  #keep(block: Block): void {
    if (this.#options.exact === true) {
      this.#giveBack(block);
      return;
    }
    const same = this.#free.get(block.bytes);
    if (same === undefined) this.#free.set(block.bytes, [block]);
    else same.push(block);
  }

  /** Gives all free blocks back to the device. */
  flush(): void {
    for (const block of [...this.#free.values()].flat()) this.#giveBack(block);
    this.#free.clear();
    this.#options.memory.trim();
  }

  /** Gives everything back, also what is in use. */
  dispose(): void {
    for (const block of this.#used) this.#giveBack(block);
    this.#used.clear();
    this.#counts.usedBytes = 0;
    this.flush();
  }

  #giveBack({ address, bytes }: Block): void {
    this.#options.memory.release(address);
    this.#counts.reservedBytes -= bytes;
  }

  /** A free block of the class, or of one that is little larger. */
  #takeFree(size: number): Block | undefined {
    for (let larger = 0, wanted = size; larger <= LARGER_CLASSES; larger++) {
      const block = this.#free.get(wanted)?.pop();
      if (block !== undefined) return block;
      wanted = classOf(wanted + 1);
    }
    return undefined;
  }

  #reserve(size: number): Block {
    const { explain } = this.#options;
    let address = this.#request(size);
    if (address === undefined) {
      this.#counts.flushes++;
      this.flush();
      address = this.#request(size);
    }
    if (address === undefined) throw explain(size, this.statistics);
    const counts = this.#counts;
    counts.reservedBytes += size;
    counts.peakReservedBytes = Math.max(counts.peakReservedBytes, counts.reservedBytes);
    return { address, bytes: size };
  }

  #request(size: number): number | undefined {
    const { memory, limit = Number.POSITIVE_INFINITY } = this.#options;
    return this.#counts.reservedBytes + size > limit ? undefined : memory.allocate(size);
  }
}

/** Rounded up by an eighth at most. */
function classOf(bytes: number): number {
  const step = Math.max(2 ** (Math.floor(Math.log2(Math.max(bytes, 1))) - 3), SMALLEST);
  return Math.max(SMALLEST, Math.ceil(bytes / step) * step);
}
