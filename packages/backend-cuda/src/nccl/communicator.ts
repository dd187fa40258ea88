import { BasicError } from "@basic-mllm/core";

import type { Session } from "../device/session.js";
import type { ForeignArgument } from "../foreign/library.js";
import { type NcclLibrary, ncclVersion } from "./open.js";
import { NCCL, type NcclFunction } from "./prototypes.js";

/** Elements that NCCL can sum. */
export type NcclType = "int32" | "float32" | "float64";

const TYPES: Readonly<Record<NcclType, number>> = {
  int32: NCCL.ncclInt32,
  float32: NCCL.ncclFloat32,
  float64: NCCL.ncclFloat64,
};

/** Elements on the device: where they are read, and where the result goes, which may be the same. */
export interface Buffers {
  readonly from: number;
  readonly to: number;
  readonly count: number;
  readonly type: NcclType;
}

/** What a communicator is made of. */
export interface CommunicatorParts {
  readonly session: Session;
  readonly library: NcclLibrary;
  readonly rank: number;
  readonly size: number;
  readonly id: Uint8Array;
}

/** A new unique id, which all ranks must be given. */
export function newUniqueId(session: Session, library: NcclLibrary): Uint8Array {
  const id = new Uint8Array(NCCL.NCCL_UNIQUE_ID_BYTES);
  const code = library.api.ncclGetUniqueId(id);
  if (code === NCCL.ncclSuccess) return id;
  throw refusedCall({ session, library }, { where: "from ncclGetUniqueId", code, handle: 0 });
}

/** NCCL between the ranks: calls are enqueued on the session's stream, and nothing waits. After a failure all fail with it. */
export class Communicator {
  readonly #parts: CommunicatorParts;
  #handle: number;
  #failure: Error | undefined;
  #closed = false;
  readonly #word = new Int32Array(1);

  /**
   * Waits for the other ranks, and holds up the process meanwhile: let them meet before.
   *
   * @throws BasicError `E_KERNEL_FAILED` where NCCL refuses.
   */
  constructor(parts: CommunicatorParts) {
    this.#parts = parts;
    const handle = new BigUint64Array(1);
    this.#handle = 0;
    this.#call("ncclCommInitRank", handle, parts.size, { bytes: parts.id }, parts.rank);
    this.#handle = Number(handle[0]);
    parts.session.whileWaiting = () => this.check();
  }

  /** Enqueues sums over all ranks, all of them as one call. */
  sum(buffers: readonly Buffers[]): void {
    this.check();
    this.#call("ncclGroupStart");
    let refused: number = NCCL.ncclSuccess;
    let ended: number = NCCL.ncclSuccess;
    try {
      refused = this.#enqueueSums(buffers);
    } finally {
      // Also after a refusal, and before the communicator is aborted for it: that may not be within a group.
      ended = this.#parts.library.api.ncclGroupEnd();
    }
    // What the end of the group says is then about the same call.
    if (refused !== NCCL.ncclSuccess) throw this.#failed("from ncclAllReduce", refused);
    if (ended !== NCCL.ncclSuccess) throw this.#failed("from ncclGroupEnd", ended);
  }

  /** Answers what NCCL said to the first sum that it refused. */
  #enqueueSums(buffers: readonly Buffers[]): number {
    const { session, library } = this.#parts;
    for (const { from, to, count, type } of buffers) {
      if (count === 0) continue;
      const place = [this.#handle, session.stream];
      const code = library.api.ncclAllReduce(from, to, count, TYPES[type], NCCL.ncclSum, ...place);
      if (code !== NCCL.ncclSuccess) return code;
    }
    return NCCL.ncclSuccess;
  }

  /** Enqueues that all ranks get the elements of rank 0. */
  broadcast({ from, to, count, type }: Buffers): void {
    this.check();
    if (count === 0) return;
    const { stream } = this.#parts.session;
    this.#call("ncclBroadcast", from, to, count, TYPES[type], 0, this.#handle, stream);
  }

  /** @throws BasicError what has gone wrong between the ranks, `E_RANK_LOST` where one is gone; `E_CONFIG` once it is closed. */
  check(): void {
    if (this.#failure !== undefined) throw this.#failure;
    if (this.#closed) throw closedBefore(this.#parts);
    this.#call("ncclCommGetAsyncError", this.#handle, this.#word);
    const code = this.#word[0] ?? 0;
    if (code === NCCL.ncclSuccess || code === NCCL.ncclInProgress) return;
    throw this.#failed("between the ranks", code);
  }

  /** Gives up: calls that wait for other ranks end, and everything from now on fails with `reason`. */
  abort(reason: Error): void {
    if (this.#failure !== undefined || this.#closed) return;
    this.#failure = reason;
    // It has failed already; there is nobody to tell that this fails too.
    if (this.#handle !== 0) this.#parts.library.api.ncclCommAbort(this.#handle);
    this.#handle = 0;
  }

  /** Ends it, after everything that was enqueued. All ranks must come here. */
  close(): void {
    const { session } = this.#parts;
    session.whileWaiting = undefined;
    if (this.#failure !== undefined || this.#closed) return;
    this.#closed = true;
    const handle = this.#handle;
    this.#handle = 0;
    this.#call("ncclCommDestroy", handle);
  }

  #call(name: NcclFunction, ...args: readonly ForeignArgument[]): void {
    const code = this.#parts.library.api[name](...args);
    if (code !== NCCL.ncclSuccess) throw this.#failed(`from ${name}`, code);
  }

  /** The error for an answer; ends the communicator. */
  #failed(where: string, code: number): BasicError {
    const error = refusedCall(this.#parts, { where, code, handle: this.#handle });
    this.abort(error);
    return error;
  }
}

function closedBefore({ rank, size }: CommunicatorParts): BasicError {
  return new BasicError(
    "E_CONFIG",
    `A sum or broadcast was asked of rank ${rank} of ${size} after its collective was closed. Call close() when all of them ` +
      "are done; to go on, connect all ranks again with connectRanks in an empty folder.",
  );
}

interface RefusedCall {
  /** `from ncclAllReduce`. */
  readonly where: string;
  readonly code: number;
  readonly handle: number;
}

function refusedCall(
  { session, library }: Pick<CommunicatorParts, "session" | "library">,
  { where, code, handle }: RefusedCall,
): BasicError {
  if (session.failure !== undefined) return session.failure;
  const { path, api, version } = library;
  const name = Object.entries(NCCL).find(([key, value]) => key.startsWith("nccl") && value === code)?.[0];
  const texts = [String(api.ncclGetErrorString(code)), String(api.ncclGetLastError(handle) ?? "")];
  const said = `${name ?? `result ${code}`} ${where}: ${texts.filter(Boolean).join("; ")}`;
  if (code === NCCL.ncclRemoteError) {
    return new BasicError(
      "E_RANK_LOST",
      `NCCL lost another process of this training (${said}). See what that one said; start all again from the last checkpoint.`,
    );
  }
  return new BasicError(
    "E_KERNEL_FAILED",
    `NCCL ${ncclVersion(version)} (${path}) failed on the CUDA device "${session.device.name}": ${said}. NCCL_DEBUG=WARN ` +
      "makes it say more. Check that all ranks run the same version on GPUs of their own; start again from the last checkpoint.",
  );
}
