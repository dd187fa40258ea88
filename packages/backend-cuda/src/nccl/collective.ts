import { BasicError, type Collective } from "@basic-mllm/core";
import * as tf from "@tensorflow/tfjs-core";

import type { CudaBackend } from "../backend.js";
import type { LibraryPaths } from "../libraries.js";
import { isBf16 } from "../memory/storage.js";
import { startedBackend } from "../start.js";
import { type Buffers, Communicator, type NcclType, newUniqueId } from "./communicator.js";
import { findNccl } from "./open.js";
import { meetInFolder } from "./rendezvous.js";

/** A process of several that train together, each on a GPU of its own. */
export interface RankOptions {
  /** This process, from 0. */
  readonly rank: number;
  /** Number of processes. */
  readonly size: number;
  /** An empty folder that all of them see: they find each other in it. Made where it is not there. */
  readonly folder: string;
  /** How long to wait for the others. Default 120,000. */
  readonly timeoutMs?: number;
  /** Gives up: its reason is what the wait for other ranks, and every later call, throws. */
  readonly signal?: AbortSignal;
  /** Files of NVIDIA's libraries, instead of those that are found. */
  readonly libraries?: LibraryPaths;
}

/** A collective that must be ended. */
export interface RankCollective extends Collective {
  /** Ends it. All ranks must come here, unless something has failed. Later calls fail with `E_CONFIG`. */
  close(): void;
}

/**
 * Connects this process with the others of its training through NCCL. The CUDA backend must have been started, on another
 * GPU in each process. Sums are enqueued on the backend's stream, without copies of the tensors; only numbers and bytes are
 * waited for.
 *
 * @throws BasicError `E_BACKEND_START` before `start`, and where NCCL is missing or older than 2.13; `E_CONFIG` for a rank or
 *   size that cannot be; `E_RANK_LOST` where another rank does not come; `E_KERNEL_FAILED` where NCCL refuses.
 */
export async function connectRanks(options: RankOptions): Promise<RankCollective> {
  const { rank, size, folder, timeoutMs = 120_000, libraries, signal } = options;
  const backend = startedBackend();
  if (backend.imagined) {
    throw new BasicError(
      "E_CONFIG",
      "An imagined GPU cannot be connected with others: start the backend on a device.",
    );
  }
  const { session } = backend;
  const library = findNccl(session.driver.version(), libraries);
  const place = { rank, size, folder, timeoutMs, signal };
  const id = await meetInFolder(place, () => newUniqueId(session, library));
  // It may have come while the last file was read, and a listener would hear no more of it.
  signal?.throwIfAborted();
  const communicator = new Communicator({ session, library, rank, size, id });
  return new NcclCollective(backend, communicator, options);
}

class NcclCollective implements RankCollective {
  readonly rank: number;
  readonly size: number;
  readonly #backend: CudaBackend;
  readonly #communicator: Communicator;
  readonly #signal: AbortSignal | undefined;
  readonly #abort = () => this.#communicator.abort(this.#signal?.reason);

  constructor(
    backend: CudaBackend,
    communicator: Communicator,
    { rank, size, signal }: Pick<RankOptions, "rank" | "size" | "signal">,
  ) {
    this.#backend = backend;
    this.#communicator = communicator;
    this.#signal = signal;
    this.rank = rank;
    this.size = size;
    signal?.addEventListener("abort", this.#abort, { once: true });
  }

  async sumNumbers(values: readonly number[]): Promise<readonly number[]> {
    const doubles = Float64Array.from(values);
    const words = await this.#throughDevice(new Int32Array(doubles.buffer), (address) =>
      this.#communicator.sum([{ from: address, to: address, count: doubles.length, type: "float64" }]),
    );
    return [...new Float64Array(words.buffer)];
  }

  async sumTensors(tensors: readonly tf.Tensor[]): Promise<readonly tf.Tensor[]> {
    const results: tf.Tensor[] = [];
    try {
      const types = tensors.map(typeOf);
      for (const tensor of tensors) results.push(this.#targetOf(tensor, tensors));
      this.#communicator.sum(tensors.map((tensor, i) => this.#buffersOf(tensor, results[i], types[i])));
    } catch (error) {
      tf.dispose([...tensors, ...results]);
      throw error;
    }
    tf.dispose(tensors.filter((tensor) => !results.includes(tensor)));
    return results;
  }

  async broadcast(bytes: Uint8Array | null): Promise<Uint8Array | null> {
    const given = this.rank === 0 ? bytes : null;
    const [length = -1] = await this.#fromFirst(Int32Array.of(given?.length ?? -1));
    if (length < 0) return null;
    const words = new Int32Array(Math.ceil(length / 4));
    if (given !== null) new Uint8Array(words.buffer).set(given);
    return new Uint8Array((await this.#fromFirst(words)).buffer, 0, length);
  }

  async barrier(): Promise<void> {
    await this.sumNumbers([1]);
  }

  close(): void {
    this.#signal?.removeEventListener("abort", this.#abort);
    this.#communicator.close();
  }

  /** The tensor itself, where nobody else has its memory and it is in float32, in which sums are. */
  #targetOf(tensor: tf.Tensor, all: readonly tf.Tensor[]): tf.Tensor {
    const users = all.filter(({ dataId }) => dataId === tensor.dataId).length;
    if (users === 1 && !this.#backend.isShared(tensor) && !isBf16(tensor)) return tensor;
    return tf.engine().makeTensorFromTensorInfo(this.#backend.allocate(tensor.shape, tensor.dtype));
  }

  #buffersOf(tensor: tf.Tensor, result = tensor, type: NcclType = "float32"): Buffers {
    const widened = isBf16(tensor);
    if (widened) this.#backend.copy(tensor, result);
    const [from, to] = [widened ? result : tensor, result].map((each) => this.#backend.addressOf(each));
    return { from: from as number, to: to as number, count: tensor.size, type };
  }

  /** The words of rank 0, on every rank. */
  #fromFirst(words: Int32Array): Promise<Int32Array> {
    return this.#throughDevice(words, (address) =>
      this.#communicator.broadcast({ from: address, to: address, count: words.length, type: "int32" }),
    );
  }

  /** Words of the host after a call has changed them on the device. */
  async #throughDevice(words: Int32Array, call: (address: number) => void): Promise<Int32Array> {
    if (words.length === 0) return words;
    const backend = this.#backend;
    const dataId = backend.write(words, [words.length], "int32");
    try {
      call(backend.addressOf({ dataId, shape: [words.length], dtype: "int32" }));
      return (await backend.read(dataId)) as Int32Array;
    } finally {
      backend.disposeData(dataId);
    }
  }
}

function typeOf({ dtype }: tf.Tensor): NcclType {
  if (dtype === "float32" || dtype === "int32") return dtype;
  throw new BasicError(
    "E_CONFIG",
    `sumTensors: tensors of float32 or int32 can be summed over ranks, got one of ${dtype}. Cast it before.`,
  );
}
