import { randomUUID } from "node:crypto";
import { link, readFile, rename, rm, writeFile } from "node:fs/promises";
import { hostname } from "node:os";
import { dirname, join } from "node:path";

/** Who holds a lock. */
export interface Holder {
  readonly pid: number;
  readonly host: string;
  /** ISO time. */
  readonly since: string;
}

/** Lock files of this process: a file with our number that is not here is from an earlier process. */
const held = new Set<string>();

/** A lock that was taken, or who has it: null where that cannot be told. */
export type Locked =
  | { readonly release: () => Promise<void> }
  | { readonly release: null; readonly holder: Holder | null };

/**
 * Takes a lock: a file with process number and host, made in one step.
 *
 * A lock whose process is gone (killed, or the machine restarted) is taken over.
 */
export async function tryLock(path: string): Promise<Locked> {
  const own = temporaryBeside(path);
  const holder: Holder = { pid: process.pid, host: hostname(), since: new Date().toISOString() };
  try {
    for (;;) {
      // Each time: the holder of the lock clears temporary files away.
      await writeFile(own, `${JSON.stringify(holder)}\n`);
      if (await linkIfFree(own, path)) break;
      const other = await removeIfStale(path);
      if (other !== undefined) return { release: null, holder: other };
    }
    // Before anything is waited for: until then the lock looks like one of an earlier process.
    held.add(path);
  } finally {
    await rm(own, { force: true });
  }
  return {
    release: async () => {
      held.delete(path);
      await rm(path, { force: true });
    },
  };
}

function temporaryBeside(path: string): string {
  return join(dirname(path), `.tmp-lock-${randomUUID()}`);
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

/** The holder who is there, or null for an unknown one. Undefined: try again. */
async function removeIfStale(path: string): Promise<Holder | null | undefined> {
  const text = await readFile(path, "utf8").catch(() => null);
  if (text === null) return undefined;
  const holder = parseHolder(text);
  if (holder === null || isAlive(holder, path)) return holder;
  // Another process may do the same now: only the one that moved the stale file away removes it.
  const aside = temporaryBeside(path);
  const moved = await rename(path, aside).then(
    () => true,
    () => false,
  );
  if (!moved) return undefined;
  const moving = await readFile(aside, "utf8").catch(() => text);
  if (moving !== text) await linkIfFree(aside, path);
  await rm(aside, { force: true });
  return undefined;
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
