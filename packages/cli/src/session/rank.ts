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

/**
 * Connects this process with the other ranks. Waits for them end when the one that started all says that one is gone, or
 * is gone itself.
 *
 * @throws `BasicError` as `connectRanks` of the CUDA backend.
 */
export async function joinRanks(place: RankPlace): Promise<RankCollective> {
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
  return connectRanks({ ...place, signal: stop.signal });
}
