import { setTimeout } from "node:timers/promises";
import type { RankCollective } from "@basic-mllm/backend-cuda";
import { BasicError, type ErrorCode } from "@basic-mllm/core";

/** A process of several that train together. */
export interface RankPlace {
  /** From 0. */
  readonly rank: number;
  readonly size: number;
  /** Folder that the ranks meet in. */
  readonly folder: string;
}

/** What the process that started the ranks says of one that has ended. */
export interface LostRank {
  readonly rank: number;
  readonly code: ErrorCode;
  readonly message: string;
}

/** What rank 0 says to the process that started the ranks once it needs the others no more. */
export const TRAINED = "trained";

/** Says a process which rank it is. */
const VARIABLE = "BASIC_MLLM_RANK";

/** The environment of a rank. */
export function rankEnvironment(place: RankPlace, device: number): NodeJS.ProcessEnv {
  return { [VARIABLE]: JSON.stringify(place), BASIC_MLLM_CUDA_DEVICE: String(device) };
}

/** The place that this process was started for, once: processes that it starts have none. */
export function takeRank(): RankPlace | undefined {
  const text = process.env[VARIABLE];
  delete process.env[VARIABLE];
  return text === undefined ? undefined : (JSON.parse(text) as RankPlace);
}

/** The other ranks, as one of them has them. */
export interface JoinedRanks {
  readonly collective: RankCollective;
  /**
   * What to say of an error: where NCCL knows only that another rank is gone, what the process that started all says of it.
   */
  readonly explain: (error: unknown) => Promise<unknown>;
}

/** How long that may take. NCCL may notice first that a process ends. */
const EXPLAIN_MS = 5000;

/**
 * Connects this process with the other ranks. Waits for them end when the one that started all says that one is gone, or
 * is gone itself.
 *
 * @throws `BasicError` as `connectRanks` of the CUDA backend.
 */
export async function joinRanks(place: RankPlace): Promise<JoinedRanks> {
  const { connectRanks } = await import("@basic-mllm/backend-cuda");
  const stop = new AbortController();
  process.on("message", ({ rank, code, message }: LostRank) => {
    const why = `Rank ${place.rank} stops because rank ${rank} did: ${message.replace(/ \[E_\w+\]$/, "")}`;
    stop.abort(new BasicError(code, why));
  });
  const orphaned = () => {
    const why = `Rank ${place.rank} stops because the process that started it is gone. Start again with --resume.`;
    stop.abort(new BasicError("E_RANK_LOST", why));
  };
  process.once("disconnect", orphaned);
  if (process.connected !== true) orphaned();
  // Listening alone keeps no process alive.
  process.channel?.unref();
  const { signal } = stop;
  const explain = async (error: unknown): Promise<unknown> => {
    if (!(error instanceof BasicError) || error.code !== "E_RANK_LOST") return error;
    // Ends with an error where it is stopped: that is what it waits for.
    await setTimeout(EXPLAIN_MS, undefined, { signal }).catch(() => undefined);
    return signal.aborted ? signal.reason : error;
  };
  return { collective: await connectRanks({ ...place, signal }), explain };
}

/** Ends what {@link joinRanks} began on rank 0: from here on it works alone, and the others' failures are nothing to it. */
export function endTraining(ranks: RankCollective): void {
  ranks.close();
  // Where nobody listens, nobody waits either.
  if (process.connected === true) process.send?.(TRAINED, undefined, undefined, () => undefined);
}
