// One download of a file at a time, in this process and all others.

import { existsSync, type Stats } from "node:fs";
import { stat, utimes } from "node:fs/promises";
import { setTimeout as sleep } from "node:timers/promises";

import { BasicError } from "@basic-mllm/core";

import { byHolder, type Holder, tryLock } from "../file-lock.js";
import { interrupted, PARTS_KEPT } from "./connection.js";
import type { DownloadRequest, TransferOptions } from "./download.js";

/** Milliseconds between looks at a download of another process, and between the signs of life that it gives. */
const LOOK = 200;

/** The right to write the part of a file. */
interface Turn {
  /** Whether another download, which was waited for, has put the whole file there. */
  readonly isHere: boolean;
  readonly release: () => Promise<void>;
}

/**
 * Waits until nobody else writes the part.
 *
 * @throws `BasicError` `E_DOWNLOAD` where the one that has the lock shows no sign of life for the time after which a
 *   connection counts as lost; `E_INTERRUPTED`.
 */
export async function takeTurn(request: DownloadRequest, options: TransferOptions): Promise<Turn> {
  const { url, path, partial } = request;
  const { signal, timeout, onBytes } = options;
  const lock = `${partial}.lock`;
  const before = await statOf(path);
  let [last, silent] = ["", 0];
  for (let waited = false; ; waited = true) {
    const locked = await tryLock(lock);
    if (locked.release !== null) {
      const release = showLife(lock, locked.release);
      return { isHere: waited && (await hasFinished(request, before)), release };
    }
    if (signal?.aborted) throw interrupted(url, PARTS_KEPT);
    const { holder } = locked;
    const received = (await statOf(partial))?.size ?? 0;
    onBytes?.(received);
    const signs = JSON.stringify([holder, received, (await statOf(lock))?.mtimeMs]);
    silent = signs === last ? silent + LOOK : 0;
    if (silent >= timeout) throw abandoned(url, lock, { holder, silent });
    last = signs;
    await sleep(LOOK);
  }
}

/** Touches the lock, since the part does not grow while a server is silent or a hash is computed. */
function showLife(lock: string, release: () => Promise<void>): () => Promise<void> {
  const timer = setInterval(() => {
    const now = new Date();
    // A lock that was removed by hand has nobody to show life to.
    void utimes(lock, now, now).catch(() => undefined);
  }, LOOK);
  timer.unref();
  return async () => {
    clearInterval(timer);
    await release();
  };
}

/**
 * Whether the download that was waited for has finished: it leaves no part, and another file than the one that lay there
 * before, which may be an old version of the same size.
 */
async function hasFinished({ path, partial, size }: DownloadRequest, before: Stats | null): Promise<boolean> {
  const found = existsSync(partial) ? null : await statOf(path);
  if (found === null || (size !== undefined && found.size !== size)) return false;
  return before === null || (found.ino !== before.ino && found.mtimeMs !== before.mtimeMs);
}

function abandoned(
  url: string,
  lock: string,
  { holder, silent }: { readonly holder: Holder | null; readonly silent: number },
): BasicError {
  return new BasicError(
    "E_DOWNLOAD",
    `${url} is being downloaded ${byHolder(holder)}, but nothing came and its lock was not touched for ${silent / 1000} s. ` +
      `If no such process runs any more, remove ${lock} and run the command again, which goes on with what is there. ` +
      "Otherwise wait for it.",
  );
}

async function statOf(path: string): Promise<Stats | null> {
  return stat(path).catch(() => null);
}
