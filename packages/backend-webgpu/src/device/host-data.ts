/** Bytes and number of buffers that are kept for values from the host. */
const MOST_BYTES = 8 * 2 ** 20;
const MOST_ENTRIES = 1024;

interface Entry {
  readonly bytes: Uint8Array;
  readonly buffer: GPUBuffer;
}

/** How buffers are made and given back. */
export interface HostDataBuffers {
  /** A new buffer with these bytes. */
  readonly upload: (bytes: Uint8Array) => GPUBuffer;
  /** Gives one back once the commands that use it are submitted. */
  readonly release: (buffer: GPUBuffer) => void;
}

/**
 * Buffers for offsets, positions and uniforms, by content: layers of a model, and steps, ask for the same ones again.
 * Those that were not asked for longest go first.
 */
export class HostData {
  readonly #buffers: HostDataBuffers;
  readonly #entries = new Map<string, Entry>();
  #bytes = 0;

  constructor(buffers: HostDataBuffers) {
    this.#buffers = buffers;
  }

  /** Number of buffers that are kept. */
  get size(): number {
    return this.#entries.size;
  }

  /** One that knows the same values, in other buffers. What happens to it does not happen to this one. */
  twin(bufferOf: (buffer: GPUBuffer) => GPUBuffer): HostData {
    const twin = new HostData(this.#buffers);
    twin.#bytes = this.#bytes;
    for (const [key, { bytes, buffer }] of this.#entries) {
      twin.#entries.set(key, { bytes, buffer: bufferOf(buffer) });
    }
    return twin;
  }

  /** A buffer with these bytes. It is never written again. */
  get(bytes: Uint8Array): GPUBuffer {
    const key = keyOf(bytes);
    const known = this.#entries.get(key);
    if (known !== undefined && same(known.bytes, bytes)) {
      this.#entries.delete(key);
      this.#entries.set(key, known);
      return known.buffer;
    }
    if (known !== undefined) this.#drop(key, known);
    const entry = { bytes: bytes.slice(), buffer: this.#buffers.upload(bytes) };
    this.#entries.set(key, entry);
    this.#bytes += bytes.length;
    this.#trim();
    return entry.buffer;
  }

  /** Makes room; the newest entry stays however large it is. */
  #trim(): void {
    for (const [key, entry] of this.#entries) {
      const fits = this.#bytes <= MOST_BYTES && this.#entries.size <= MOST_ENTRIES;
      if (fits || this.#entries.size === 1) return;
      this.#drop(key, entry);
    }
  }

  #drop(key: string, { bytes, buffer }: Entry): void {
    this.#entries.delete(key);
    this.#bytes -= bytes.length;
    this.#buffers.release(buffer);
  }
}

/** Length and an FNV hash. */
function keyOf(bytes: Uint8Array): string {
  let hash = 0x811c_9dc5;
  for (const byte of bytes) hash = Math.imul(hash ^ byte, 0x0100_0193);
  return `${bytes.length}/${hash}`;
}

function same(a: Uint8Array, b: Uint8Array): boolean {
  return a.length === b.length && a.every((byte, i) => byte === b[i]);
}
