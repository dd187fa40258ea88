import { mkdir, readdir, readFile, rename, writeFile } from "node:fs/promises";
import { join } from "node:path";

import { BasicError } from "@basic-mllm/core";

/** Where the ranks of a training find each other. */
export interface Rendezvous {
  /** This process, from 0. */
  readonly rank: number;
  /** Number of processes. */
  readonly size: number;
  /** A folder that all of them see, without files of an earlier training. Made where it is not there. */
  readonly folder: string;
  /** How long to wait for the others. */
  readonly timeoutMs: number;
  /** Ends the wait with its reason. */
  readonly signal?: AbortSignal | undefined;
}

const ID = "unique-id";
const POLL_MS = 20;

/**
 * Meets the other ranks in a folder: each leaves a file `rank-N` there, and rank 0 one with the bytes of `makeId`.
 *
 * @returns Those bytes, on every rank, once all are here.
 * @throws BasicError `E_CONFIG` for a rank that cannot be or is there already, or another number of ranks; `E_RANK_LOST` with
 *   the ranks that did not come in time; the reason of `signal`.
 */
export async function meetInFolder(place: Rendezvous, makeId: () => Uint8Array): Promise<Uint8Array> {
  checkPlace(place);
  const { rank, folder, timeoutMs } = place;
  await mkdir(folder, { recursive: true });
  await announce(place);
  if (rank === 0) await writeWhole(folder, ID, makeId());
  const end = performance.now() + timeoutMs;
  for (;;) {
    place.signal?.throwIfAborted();
    const missing = await missingRanks(place);
    if (missing.length === 0) return new Uint8Array(await readFile(join(folder, ID)));
    if (performance.now() > end) throw tooLate(place, missing);
    await new Promise((resolve) => setTimeout(resolve, POLL_MS));
  }
}

function checkPlace({ rank, size }: Rendezvous): void {
  if (!Number.isInteger(size) || size < 1) {
    throw new BasicError(
      "E_CONFIG",
      `connectRanks: size is the number of processes, from 1 on, got ${size}.`,
    );
  }
  if (Number.isInteger(rank) && rank >= 0 && rank < size) return;
  throw new BasicError(
    "E_CONFIG",
    `connectRanks: the rank of one of ${size} processes is a whole number from 0 to ${size - 1}, got ${rank}. Give each process its own.`,
  );
}

/** Fails where somebody has this rank: also a process of an earlier training, whose unique id would be read. */
async function announce({ rank, size, folder }: Rendezvous): Promise<void> {
  try {
    await writeFile(join(folder, `rank-${rank}`), String(size), { flag: "wx" });
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code !== "EEXIST") throw error;
    throw new BasicError(
      "E_CONFIG",
      `connectRanks: there is a rank ${rank} in ${folder} already: two processes have the same rank, or the folder is that of an ` +
        "earlier training. Give each process its own rank, and each training an empty folder.",
    );
  }
}

/** There as a whole or not at all. */
async function writeWhole(folder: string, name: string, bytes: Uint8Array): Promise<void> {
  const temporary = join(folder, `.tmp-${name}`);
  await writeFile(temporary, bytes);
  await rename(temporary, join(folder, name));
}

/** Ranks that are not here; the first one also counts as missing until it has left its id. */
async function missingRanks(place: Rendezvous): Promise<readonly number[]> {
  const { size, folder } = place;
  const names = new Set(await readdir(folder));
  const isHere = (rank: number) => names.has(`rank-${rank}`) && (rank > 0 || names.has(ID));
  for (const name of names) if (/^rank-\d+$/.test(name)) await checkSize(place, name);
  return Array.from({ length: size }, (_, rank) => rank).filter((rank) => !isHere(rank));
}

async function checkSize({ size, folder, rank }: Rendezvous, name: string): Promise<void> {
  const text = await readFile(join(folder, name), "utf8");
  // A file that is just being written is empty.
  if (text === "" || text === String(size)) return;
  throw new BasicError(
    "E_CONFIG",
    `connectRanks: ${name} in ${folder} was started as one of ${text} processes, but rank ${rank} as one of ${size}. Start all ` +
      "with the same size, in an empty folder.",
  );
}

function tooLate({ rank, size, folder, timeoutMs }: Rendezvous, missing: readonly number[]): BasicError {
  const who = missing.length === 1 ? `rank ${missing[0]}` : `ranks ${missing.join(", ")}`;
  return new BasicError(
    "E_RANK_LOST",
    `Rank ${rank} waited ${timeoutMs / 1000} s in ${folder} for ${who} of ${size}. See what ` +
      `${missing.length === 1 ? "that process" : "those processes"} said, and whether all were given the same folder; then start all again in an empty one.`,
  );
}
