/** Time that the device spent on the programs of one name. */
export interface KernelTime {
  /** The program's name; of a program of tfjs `tfjs` and its class. */
  readonly name: string;
  readonly dispatches: number;
  readonly milliseconds: number;
}

/** Dispatches between two readings; each takes two of the queries of a set, which may have 4096. */
const CAPACITY = 1024;

const RESOLVED = 0x200 | 0x4; // QUERY_RESOLVE, COPY_SRC
const READBACK = 0x1 | 0x8; // MAP_READ, COPY_DST

/** Times of passes on the device, one pass a dispatch, added up by name. Needs the feature `timestamp-query`. */
export class Timestamps {
  /** Whether passes are timed now. */
  recording = false;
  readonly #device: GPUDevice;
  #queries: GPUQuerySet | undefined;
  #names: string[] = [];
  readonly #resolved: Reading[] = [];
  readonly #pending = new Set<Promise<void>>();
  readonly #sums = new Map<string, KernelTime>();

  constructor(device: GPUDevice) {
    this.#device = device;
  }

  /** Whether `resolve` has to come before `next`. */
  get isFull(): boolean {
    return this.#names.length >= CAPACITY;
  }

  /** Where the pass that runs a program writes its begin and end. */
  next(name: string): GPUComputePassTimestampWrites {
    this.#queries ??= this.#device.createQuerySet({ type: "timestamp", count: 2 * CAPACITY });
    const first = 2 * this.#names.length;
    this.#names.push(name);
    return { querySet: this.#queries, beginningOfPassWriteIndex: first, endOfPassWriteIndex: first + 1 };
  }

  /** Adds the copy of all times so far to the commands. */
  resolve(encoder: GPUCommandEncoder): void {
    const names = this.#names;
    if (names.length === 0 || this.#queries === undefined) return;
    this.#names = [];
    const size = 16 * names.length;
    const times = this.#device.createBuffer({ size, usage: RESOLVED });
    const staging = this.#device.createBuffer({ size, usage: READBACK });
    encoder.resolveQuerySet(this.#queries, 0, 2 * names.length, times, 0);
    encoder.copyBufferToBuffer(times, 0, staging, 0, size);
    this.#resolved.push({ names, times, staging });
  }

  /** Begins to read what was resolved. Its commands must have been submitted. */
  collect(): void {
    for (const reading of this.#resolved.splice(0)) {
      const added: Promise<void> = this.#add(reading).finally(() => this.#pending.delete(added));
      // end() tells of a failure; a reading that nobody waits for yet must not end the process.
      added.catch(() => undefined);
      this.#pending.add(added);
    }
  }

  /** Starts to record, from zero. */
  begin(): void {
    this.#names = [];
    this.#sums.clear();
    this.recording = true;
  }

  /** Stops to record. The times of all that was collected, longest first. */
  async end(): Promise<readonly KernelTime[]> {
    this.recording = false;
    await Promise.all(this.#pending);
    return [...this.#sums.values()].sort((a, b) => b.milliseconds - a.milliseconds);
  }

  /** Ends the queries. */
  dispose(): void {
    this.#queries?.destroy();
    this.#queries = undefined;
  }

  async #add({ names, times, staging }: Reading): Promise<void> {
    try {
      await staging.mapAsync(0x1);
      const nanoseconds = new BigUint64Array(staging.getMappedRange().slice(0));
      for (const [i, name] of names.entries()) {
        const [begin, end] = [nanoseconds[2 * i] ?? 0n, nanoseconds[2 * i + 1] ?? 0n];
        const { dispatches, milliseconds } = this.#sums.get(name) ?? { dispatches: 0, milliseconds: 0 };
        // A clock that is set back in between says nothing of this pass.
        const own = end > begin ? Number(end - begin) / 1e6 : 0;
        this.#sums.set(name, { name, dispatches: dispatches + 1, milliseconds: milliseconds + own });
      }
    } finally {
      times.destroy();
      staging.destroy();
    }
  }
}

/** Times on their way to the host: a begin and an end for each name. */
interface Reading {
  readonly names: readonly string[];
  readonly times: GPUBuffer;
  readonly staging: GPUBuffer;
}
