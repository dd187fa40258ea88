import { randomUUID } from "node:crypto";
import { link, readFile, rename, rm, writeFile } from "node:fs/promises";
import { hostname } from "node:os";
import { join } from "node:path";

import { BasicError } from "@basic-mllm/core";

/** Who holds a run. */
interface Holder {
  readonly pid: number;
  readonly host: string;
  /** ISO time. */
  readonly since: string;
}

/** Lock files of this process: a file with our number that is not here is from an earlier process. */
const held = new Set<string>();

/**
 * Takes the lock of a run folder: a file with process number and host, made in one step.
 *
 * A lock whose process is gone (killed, or the machine restarted) is taken over.
 *
 * @returns The release.
 * @throws `BasicError` `E_RUN_LOCKED` where another process uses the folder.
 */
export async function takeLock(folder: string): Promise<() => Promise<void>> {
  const path = join(folder, "lock");
  const own = join(folder, `.tmp-lock-${randomUUID()}`);
  const holder: Holder = { pid: process.pid, host: hostname(), since: new Date().toISOString() };
  try {
    for (;;) {
      // Each time: the holder of the lock clears temporary files away.
      await writeFile(own, `${JSON.stringify(holder)}\n`);
      if (await linkIfFree(own, path)) break;
      await removeIfStale(path, folder);
    }
    // Before anything is waited for: until then the lock looks like one of an earlier process.
    held.add(path);
  } finally {
    await rm(own, { force: true });
  }
  return async () => {
    held.delete(path);
    await rm(path, { force: true });
  };
}

/** A link is made with its content or not at all, so no reader ever sees an empty lock. False: try again. */
async function linkIfFree(own: string, path: string): Promise<boolean> {
  try {
    await link(own, path);
    return true;
  } catch (error) {
    const { code } = error as { code?: unknown };
    if (code === "EEXIST" || code === "ENOENT") return false;
    throw error;
  }
}

async function removeIfStale(path: string, folder: string): Promise<void> {
  const text = await readFile(path, "utf8").catch(() => null);
  if (text === null) return;
  const holder = parseHolder(text);
  if (holder === null || isAlive(holder, path)) throw lockedBy(holder, folder, path);
  // Another process may do the same now: only the one that moved the stale file away removes it.
  const aside = join(folder, `.tmp-lock-${randomUUID()}`);
  const moved = await rename(path, aside).then(
    () => true,
    () => false,
  );
  if (!moved) return;
  const moving = await readFile(aside, "utf8").catch(() => text);
  if (moving !== text) await linkIfFree(aside, path);
  await rm(aside, { force: true });
}

function parseHolder(text: string): Holder | null {
  try {
    const holder = JSON.parse(text) as Partial<Holder> | null;
    return typeof holder?.pid === "number" ? (holder as Holder) : null;
  } catch {
    return null;
  }
}

function isAlive({ pid, host }: Holder, path: string): boolean {
  // Another machine's processes cannot be seen from here.
  if (host !== hostname()) return true;
  if (pid === process.pid) return held.has(path);
  try {
    process.kill(pid, 0);
    return true;
  } catch (error) {
    return (error as { code?: unknown }).code === "EPERM";
  }
}

function lockedBy(holder: Holder | null, folder: string, path: string): BasicError {
  const who =
    holder === null
      ? "by an unknown process"
      : `by process ${holder.pid} on ${holder.host} since ${holder.since}`;
  return new BasicError(
    "E_RUN_LOCKED",
    `The run folder ${folder} is in use ${who}. Wait for it, choose another folder, ` +
      `or, if that process is gone, remove ${path}.`,
  );
}
