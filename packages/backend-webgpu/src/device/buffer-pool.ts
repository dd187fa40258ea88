import { type Failure, outOfMemory } from "./failure.js";

/** Free buffers that are kept, unless told otherwise. */
export const DEFAULT_IDLE_BYTES = 2 ** 30;

/** From this size on an allocation is checked: error scopes cost time. */
const WATCHED_BYTES = 2 ** 20;

/** No buffer is smaller, so that every tensor, also one without elements, can be bound. */
const SMALLEST = 256;

/** Where the pool makes buffers, and how many bytes of free ones it keeps. */
export interface PoolOptions {
  readonly device: GPUDevice;
  readonly failure: Failure;
  readonly idleBytes?: number;
}

/**
 * Buffers by size class, in place of tfjs's buffer manager, which keeps every buffer that it ever made.
 *
 * Sizes are rounded up to one of eight classes between powers of two, so that batches of like row counts share
 * buffers. Free buffers beyond a limit are destroyed, those first that were free for longest.
 */
export class BufferPool {
  /** Bytes of the buffers that are in use, and of all. */
  numBytesUsed = 0;
  numBytesAllocated = 0;
  /** Largest `numBytesAllocated` so far. */
  peakBytes = 0;
  readonly #device: GPUDevice;
  readonly #failure: Failure;
  readonly #idleBytes: number;
  readonly #used = new Set<GPUBuffer>();
  /** In the order in which they became free, all together and by class. */
  readonly #free = new Set<GPUBuffer>();
  readonly #classes = new Map<string, GPUBuffer[]>();

  constructor({ device, failure, idleBytes = DEFAULT_IDLE_BYTES }: PoolOptions) {
    this.#device = device;
    this.#failure = failure;
    this.#idleBytes = idleBytes;
  }

  /**
   * Free bytes that are kept.
   *
   * @internal
   */
  get mostIdleBytes(): number {
    return this.#idleBytes;
  }

  /**
   * All buffers; the free ones in the order in which they became free.
   *
   * @internal
   */
  buffers(): { readonly used: readonly GPUBuffer[]; readonly free: readonly GPUBuffer[] } {
    return { used: [...this.#used], free: [...this.#free] };
  }

  /** Bytes of free buffers. */
  get idleBytes(): number {
    return this.numBytesAllocated - this.numBytesUsed;
  }

  /** A buffer of at least `size` bytes, with arbitrary content. */
  acquireBuffer(size: number, usage: GPUBufferUsageFlags, mappedAtCreation = false, reuse = true): GPUBuffer {
    this.#failure.check();
    const bytes = this.#classOf(size);
    const kept = reuse && !mappedAtCreation ? this.#classes.get(keyOf(bytes, usage))?.pop() : undefined;
    const buffer = kept ?? this.#create({ size: bytes, usage, mappedAtCreation });
    this.#free.delete(buffer);
    this.#used.add(buffer);
    this.numBytesUsed += buffer.size;
    return buffer;
  }

  /** Takes a buffer back. Commands that use it must have been submitted. */
  releaseBuffer(buffer: GPUBuffer, reuse = true): void {
    if (!this.#used.delete(buffer)) return;
    this.numBytesUsed -= buffer.size;
    if (!reuse) {
      this.#destroy(buffer);
      return;
    }
    this.#free.add(buffer);
    const key = keyOf(buffer.size, buffer.usage);
    const same = this.#classes.get(key);
    if (same === undefined) this.#classes.set(key, [buffer]);
    else same.push(buffer);
    this.#trim(this.#idleBytes);
  }

  /** Buffers in use. */
  getNumUsedBuffers(): number {
    return this.#used.size;
  }

  /** Free buffers. */
  getNumFreeBuffers(): number {
    return this.#free.size;
  }

  /** Destroys free buffers until at most `idleBytes` are left. */
  #trim(idleBytes: number): void {
    for (const buffer of this.#free) {
      if (this.idleBytes <= idleBytes) return;
      this.#free.delete(buffer);
      // The oldest of all is the oldest of its class.
      this.#classes.get(keyOf(buffer.size, buffer.usage))?.shift();
      this.#destroy(buffer);
    }
  }

  /** Destroys every buffer. */
  dispose(): void {
    this.#trim(0);
    for (const buffer of this.#used) this.#destroy(buffer);
    this.#used.clear();
    this.numBytesUsed = 0;
  }

  #destroy(buffer: GPUBuffer): void {
    this.numBytesAllocated -= buffer.size;
    buffer.destroy();
  }

  #create(descriptor: GPUBufferDescriptor & { readonly size: number }): GPUBuffer {
    const create = () => this.#device.createBuffer(descriptor);
    const { size } = descriptor;
    const before = this.numBytesAllocated;
    const buffer =
      size < WATCHED_BYTES
        ? create()
        : this.#failure.watch(this.#device, "out-of-memory", create, ({ message }) =>
            outOfMemory(size, before, message),
          );
    this.numBytesAllocated += size;
    this.peakBytes = Math.max(this.peakBytes, this.numBytesAllocated);
    return buffer;
  }

  /** Rounded up by an eighth at most, but never over a limit that `size` itself is within. */
  #classOf(size: number): number {
    const step = 2 ** Math.max(Math.floor(Math.log2(Math.max(size, 1))) - 3, 5);
    const rounded = Math.max(SMALLEST, Math.ceil(size / step) * step);
    const { maxBufferSize, maxStorageBufferBindingSize } = this.#device.limits;
    for (const limit of [maxStorageBufferBindingSize, maxBufferSize]) {
      if (size <= limit && rounded > limit) return Math.ceil(size / 4) * 4;
    }
    return rounded;
  }
}

function keyOf(size: number, usage: GPUBufferUsageFlags): string {
  return `${size}/${usage}`;
}
