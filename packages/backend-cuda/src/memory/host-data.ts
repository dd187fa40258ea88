import type { Block, CachingAllocator } from "./allocator.js";

/** Bytes and number of blocks that are kept for values from the host. */
const MOST_BYTES = 16 * 2 ** 20;
const MOST_ENTRIES = 1024;

/** Values that stay on the host until a kernel reads them, such as offsets; 64-bit ones are addresses. */
export type HostArray = Int32Array | Uint32Array | Float32Array | BigUint64Array;

interface Entry {
  readonly words: Uint32Array;
  readonly block: Block;
}

/** Where the device copies of host arrays are. */
export interface HostDataOptions {
  readonly allocator: CachingAllocator;
  /** Copies to an address, in the order of the stream. */
  readonly upload: (address: number, bytes: Uint8Array) => void;
}

/**
 * Device copies of offsets and positions, by content: layers of a model, and steps, ask for the same ones again. Those
 * that were not asked for longest go first.
 */
export class HostData {
  readonly #options: HostDataOptions;
  readonly #entries = new Map<number, Entry>();
  readonly #dropped: Block[] = [];
  #bytes = 0;

  constructor(options: HostDataOptions) {
    this.#options = options;
  }

  /** Number of arrays that are kept. */
  get size(): number {
    return this.#entries.size;
  }

  /** Address of a copy of the array, which is never written again. */
  addressOf(values: HostArray): number {
    const words = new Uint32Array(values.buffer, values.byteOffset, values.byteLength / 4);
    const key = hashOf(words);
    const known = this.#entries.get(key);
    if (known !== undefined && same(known.words, words)) {
      this.#entries.delete(key);
      this.#entries.set(key, known);
      return known.block.address;
    }
    if (known !== undefined) this.#drop(key, known);
    return this.#add(key, words).address;
  }

  /** Releases what is not kept: called once the launch that was given addresses is enqueued. */
  trim(): void {
    if (this.#bytes > MOST_BYTES || this.#entries.size > MOST_ENTRIES) this.#shrink();
    if (this.#dropped.length === 0) return;
    for (const block of this.#dropped) this.#options.allocator.release(block);
    this.#dropped.length = 0;
  }

  /** Forgets everything. */
  clear(): void {
    for (const [key, entry] of this.#entries) this.#drop(key, entry);
    this.trim();
  }

  #add(key: number, words: Uint32Array): Block {
    const { allocator, upload } = this.#options;
    const block = allocator.allocate(words.byteLength);
    upload(block.address, new Uint8Array(words.buffer, words.byteOffset, words.byteLength));
    this.#entries.set(key, { words: words.slice(), block });
    this.#bytes += words.byteLength;
    return block;
  }

  /** Makes room; the newest entry stays however large it is. */
  #shrink(): void {
    for (const [key, entry] of this.#entries) {
      const fits = this.#bytes <= MOST_BYTES && this.#entries.size <= MOST_ENTRIES;
      if (fits || this.#entries.size === 1) return;
      this.#drop(key, entry);
    }
  }

  #drop(key: number, { words, block }: Entry): void {
    this.#entries.delete(key);
    this.#bytes -= words.byteLength;
    this.#dropped.push(block);
  }
}

/** FNV over words, and the length. */
function hashOf(words: Uint32Array): number {
  let hash = 0x811c_9dc5 ^ words.length;
  for (let i = 0; i < words.length; i++)
    hash = Math.imul(hash ^ (words[i] ?? 0), 0x0100_0193) ^ (hash >>> 15);
  return hash;
}

function same(a: Uint32Array, b: Uint32Array): boolean {
  return a.length === b.length && Buffer.compare(bytesOf(a), bytesOf(b)) === 0;
}

function bytesOf({ buffer, byteOffset, byteLength }: Uint32Array): Uint8Array {
  return new Uint8Array(buffer, byteOffset, byteLength);
}
