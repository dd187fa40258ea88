import { createHash } from "node:crypto";
import { createReadStream } from "node:fs";
import { mkdir, open, rename, rm, stat, writeFile } from "node:fs/promises";
import { dirname } from "node:path";
import { Readable } from "node:stream";
import type { ReadableStream } from "node:stream/web";
import { setTimeout as sleep } from "node:timers/promises";

import { BasicError, explainDiskFull } from "@basic-mllm/core";

import {
  ATTEMPTS,
  ConnectionLost,
  interrupted,
  isNetworkError,
  isTemporary,
  PARTS_KEPT,
  pauseAfter,
  watch,
} from "./connection.js";
import { httpError, networkError } from "./http-errors.js";
import { takeTurn } from "./turn.js";

/** How a finished file is checked. */
export interface Digest {
  /** `git-sha1`: of git's blob, which has its length before it. */
  readonly algorithm: "sha256" | "git-sha1";
  readonly hex: string;
}

/** One file to be downloaded. */
export interface DownloadRequest {
  readonly url: string;
  readonly headers: Readonly<Record<string, string>>;
  /** Where the whole file will lie. */
  readonly path: string;
  /** Where it grows; a part that is there already is gone on with. */
  readonly partial: string;
  /** In bytes, where the server said it before. */
  readonly size?: number;
  readonly digest?: Digest;
}

/** How {@link downloadFile} behaves. */
export interface TransferOptions {
  readonly fetch: typeof fetch;
  /** Milliseconds without a byte after which a connection, or another's download of the file, counts as lost. */
  readonly timeout: number;
  /** Milliseconds before the first new attempt; doubled each time. */
  readonly pause: number;
  readonly signal?: AbortSignal | undefined;
  /** @param received - Bytes of this file that are on the disk. */
  readonly onBytes?: (received: number) => void;
}

/**
 * Downloads a file: goes on with what an interrupted download left, checks length and hash, and only then gives it its
 * name. After a wrong hash it starts over once, since an old part may be to blame. Where another download of the same
 * file is under way, here or in another process, it waits for that one as long as that one shows signs of life.
 *
 * @throws `BasicError` `E_DOWNLOAD`, `E_DISK_FULL`, `E_INTERRUPTED`.
 */
export async function downloadFile(request: DownloadRequest, options: TransferOptions): Promise<void> {
  const { path, partial } = request;
  const full = `${path} could not be downloaded: the disk is full. What is there was kept: make space and run the command again.`;
  await explainDiskFull(full, async () => {
    await mkdir(dirname(path), { recursive: true });
    await mkdir(dirname(partial), { recursive: true });
    const { isHere, release } = await takeTurn(request, options);
    try {
      if (!isHere) await downloadChecked(request, options);
    } finally {
      await release();
    }
  });
}

async function downloadChecked(request: DownloadRequest, options: TransferOptions): Promise<void> {
  const { path, partial } = request;
  await transfer(request, options);
  let problem = await faultOf(request);
  if (problem !== null) {
    await rm(partial, { force: true });
    await transfer(request, options);
    problem = await faultOf(request);
  }
  if (problem !== null) {
    await rm(partial, { force: true });
    throw new BasicError(
      "E_DOWNLOAD",
      `${request.url} was downloaded twice, and each time ${problem}. The file was removed. ` +
        "A proxy or mirror may change it: try another network, or download it by hand.",
    );
  }
  await rename(partial, path);
}

async function transfer(request: DownloadRequest, options: TransferOptions): Promise<void> {
  let [failures, last] = [0, await sizeOf(request.partial)];
  for (;;) {
    try {
      await attempt(request, options);
      return;
    } catch (error) {
      if (options.signal?.aborted) throw interrupted(request.url, PARTS_KEPT);
      if (!isNetworkError(error)) throw error;
      const now = await sizeOf(request.partial);
      failures = now > last ? 1 : failures + 1;
      last = now;
      if (failures >= ATTEMPTS) throw networkError(request.url, error, now);
      await sleep(pauseAfter(failures, options.pause));
    }
  }
}

/** Goes on with the partial file until the server ends. Throws where it ends too early. */
async function attempt(request: DownloadRequest, options: TransferOptions): Promise<void> {
  const start = await sizeOf(request.partial);
  if (start === request.size) {
    // Of an empty file there is nothing to ask for.
    if (start === 0) await writeFile(request.partial, "");
    return;
  }
  if (request.size !== undefined && start > request.size) {
    await rm(request.partial);
    return attempt(request, options);
  }
  const { signal, alive, stop } = watch(options);
  try {
    const response = await options.fetch(request.url, {
      // Lengths and ranges count the file's own bytes.
      headers: {
        ...request.headers,
        "Accept-Encoding": "identity",
        ...(start > 0 && { Range: `bytes=${start}-` }),
      },
      signal,
    });
    alive();
    // An answer that nothing reads would hold its connection.
    if (!response.ok) await response.body?.cancel();
    if (response.status === 416) {
      await rm(request.partial, { force: true });
      throw new ConnectionLost("the server has less than what is on the disk");
    }
    if (isTemporary(response.status)) throw new ConnectionLost(`the server answered ${response.status}`);
    if (!response.ok) throw httpError(request.url, response.status);
    await save(response, { request, start: await resumedAt(response, start), options, alive });
  } finally {
    stop();
  }
}

/** Where in the file the answer begins: servers without ranges send the whole. */
async function resumedAt(response: Response, asked: number): Promise<number> {
  if (response.status !== 206) return 0;
  const [, first] = /^bytes (\d+)-/.exec(response.headers.get("content-range") ?? "") ?? [];
  if (Number(first) === asked) return asked;
  await response.body?.cancel();
  throw new ConnectionLost(`the server sent other bytes than those from ${asked} on`);
}

interface Saving {
  readonly request: DownloadRequest;
  readonly start: number;
  readonly options: TransferOptions;
  readonly alive: () => void;
}

/** Appends what the server sends, and syncs it. */
async function save(response: Response, { request, start, options, alive }: Saving): Promise<void> {
  const length = response.headers.get("content-length");
  const encoded = response.headers.has("content-encoding");
  const size = request.size ?? (length === null || encoded ? undefined : start + Number(length));
  const file = await open(request.partial, start === 0 ? "w" : "a");
  let received = start;
  try {
    if (response.body !== null) {
      for await (const piece of Readable.fromWeb(response.body as ReadableStream<Uint8Array>)) {
        alive();
        received += piece.length;
        if (size !== undefined && received > size) throw tooLong(request.url, size);
        await file.writeFile(piece);
        options.onBytes?.(received);
      }
    }
    await file.sync();
  } finally {
    await file.close();
  }
  if (size !== undefined && received < size) {
    throw new ConnectionLost(`the connection ended after ${received} of ${size} bytes`);
  }
}

function tooLong(url: string, size: number): BasicError {
  return new BasicError(
    "E_DOWNLOAD",
    `${url} sends more than the ${size} bytes that it should have. A proxy or mirror may change it: try another network.`,
  );
}

/** What is wrong with the file that grew, or null. */
async function faultOf({ partial, size, digest }: DownloadRequest): Promise<string | null> {
  const found = await sizeOf(partial);
  if (size !== undefined && found !== size) return `it had ${found} bytes, expected ${size}`;
  if (digest === undefined) return null;
  const hash = createHash(digest.algorithm === "sha256" ? "sha256" : "sha1");
  if (digest.algorithm === "git-sha1") hash.update(`blob ${found}\0`);
  for await (const piece of createReadStream(partial, { highWaterMark: 2 ** 20 }))
    hash.update(piece as Buffer);
  const hex = hash.digest("hex");
  return hex === digest.hex ? null : `its ${digest.algorithm} was ${hex}, expected ${digest.hex}`;
}

async function sizeOf(path: string): Promise<number> {
  return stat(path).then(
    ({ size }) => size,
    () => 0,
  );
}
