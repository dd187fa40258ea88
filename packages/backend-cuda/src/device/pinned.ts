import { viewNative } from "../foreign/library.js";
import type { Session } from "./session.js";

/** Memory of the host that the device copies from and to by itself. */
export interface PinnedBlock {
  readonly address: number;
  readonly bytes: Uint8Array;
}

/** An upload block, and the event after which its memory may be written again. */
interface UploadBlock extends PinnedBlock {
  readonly event: number;
  pending: boolean;
}

const UPLOAD_BLOCKS = 4;
const UPLOAD_BYTES = 4 * 2 ** 20;
/** Free download blocks beyond so many bytes are given back. */
const IDLE_BYTES = 64 * 2 ** 20;
/** Copies start on a multiple of this. */
const ALIGNMENT = 256;

/** Copies between host and device: they are only enqueued, and the caller's arrays may be changed at once. */
export class PinnedMemory {
  readonly #session: Session;
  readonly #ring: UploadBlock[] = [];
  #current = 0;
  #used = 0;
  readonly #free = new Map<number, PinnedBlock[]>();
  #idleBytes = 0;
  readonly #blocks = new Set<PinnedBlock>();

  constructor(session: Session) {
    this.#session = session;
  }

  /** Copies bytes to an address of the device, in the order of the stream. Waits only for uploads of 12 MiB before. */
  upload(address: number, bytes: Uint8Array): void {
    for (let done = 0; done < bytes.length; ) {
      const block = this.#uploadBlock(Math.min(bytes.length - done, UPLOAD_BYTES));
      const size = Math.min(bytes.length - done, UPLOAD_BYTES - this.#used);
      block.bytes.set(bytes.subarray(done, done + size), this.#used);
      const { stream } = this.#session;
      this.#session.call("cuMemcpyHtoDAsync", address + done, block.address + this.#used, size, stream);
      this.#used += Math.ceil(size / ALIGNMENT) * ALIGNMENT;
      done += size;
    }
  }

  /** The block that uploads go to now; the next one of the ring where it is full. */
  #uploadBlock(bytes: number): UploadBlock {
    const block = this.#ring[this.#current];
    if (block !== undefined && this.#used + bytes <= UPLOAD_BYTES) return block;
    if (block !== undefined) {
      this.#session.call("cuEventRecord", block.event, this.#session.stream);
      block.pending = true;
      this.#current = (this.#current + 1) % UPLOAD_BLOCKS;
    }
    this.#used = 0;
    const next = this.#ring[this.#current] ?? this.#newUploadBlock();
    if (next.pending) this.#session.call("cuEventSynchronize", next.event);
    next.pending = false;
    return next;
  }

  #newUploadBlock(): UploadBlock {
    const event = this.#session.createEvent();
    const block = { ...this.#allocate(UPLOAD_BYTES), event, pending: false };
    this.#ring[this.#current] = block;
    return block;
  }

  /** A block of at least so many bytes to copy into; {@link release} takes it back. */
  acquire(bytes: number): PinnedBlock {
    const size = 2 ** Math.ceil(Math.log2(Math.max(bytes, 4096)));
    const kept = this.#free.get(size)?.pop();
    if (kept === undefined) return this.#allocate(size);
    this.#idleBytes -= size;
    return kept;
  }

  /** Takes a block of {@link acquire} back, once nothing writes to it any more. */
  release(block: PinnedBlock): void {
    const size = block.bytes.length;
    if (this.#idleBytes + size > IDLE_BYTES) {
      this.#blocks.delete(block);
      this.#session.call("cuMemFreeHost", block.address);
      return;
    }
    this.#idleBytes += size;
    const same = this.#free.get(size);
    if (same === undefined) this.#free.set(size, [block]);
    else same.push(block);
  }

  #allocate(size: number): PinnedBlock {
    const address = this.#session.handleFrom("cuMemHostAlloc", size, 0);
    const block = { address, bytes: viewNative(address, size) };
    this.#blocks.add(block);
    return block;
  }

  /** Gives all memory back. Nothing of it may be in use. */
  dispose(): void {
    const { api } = this.#session.driver;
    for (const { address } of this.#blocks) api.cuMemFreeHost(address);
    for (const { event } of this.#ring) this.#session.destroyEvent(event);
    this.#blocks.clear();
    this.#ring.length = 0;
    this.#free.clear();
  }
}
