import { randomUUID } from "node:crypto";
import { link, open, readFile, rename, rm, writeFile } from "node:fs/promises";
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
const held = new Map<string, Holder>();

/** What file systems without hard links answer. */
const NO_LINKS: ReadonlySet<unknown> = new Set(["EPERM", "ENOTSUP", "ENOSYS", "EOPNOTSUPP"]);

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
  const text = `${JSON.stringify(holder)}\n`;
  try {
    for (;;) {
      // Each time: the holder of the lock clears temporary files away.
      await writeFile(own, text);
      if (await placeIfFree(own, path, { text, onTaken: () => held.set(path, holder) })) break;
      const other = await removeIfStale(path);
      if (other !== undefined) return { release: null, holder: other };
    }
  } finally {
    await rm(own, { force: true });
  }
  return {
    release: async () => {
      await rm(path, { force: true });
      // Only now: a lock that is there and not held looks stale. Somebody here may have it already.
      if (held.get(path) === holder) held.delete(path);
    },
  };
}

/** `by process 12 on HOST since TIME`. @param holder - Null for one that cannot be told. */
export function byHolder(holder: Holder | null): string {
  if (holder === null) return "by an unknown process";
  return `by process ${holder.pid} on ${holder.host} since ${holder.since}`;
}

function temporaryBeside(path: string): string {
  return join(dirname(path), `.tmp-lock-${randomUUID()}`);
}

interface Placing {
  readonly text: string;
  /** Called before anything is waited for: until then the lock looks like one of an earlier process. */
  readonly onTaken: () => void;
}

/** A link is made with its content or not at all, so no reader ever sees an empty lock. False: try again. */
async function placeIfFree(own: string, path: string, placing: Placing): Promise<boolean> {
  try {
    await link(own, path);
  } catch (error) {
    const code = codeOf(error);
    if (code === "EEXIST" || code === "ENOENT") return false;
    if (NO_LINKS.has(code)) return createIfFree(path, placing);
    throw error;
  }
  placing.onTaken();
  return true;
}

/** Without hard links a reader may see a lock without its text, which counts as that of an unknown process. */
async function createIfFree(path: string, { text, onTaken }: Placing): Promise<boolean> {
  const file = await open(path, "wx").catch((error: unknown) => {
    if (codeOf(error) === "EEXIST") return null;
    throw error;
  });
  if (file === null) return false;
  onTaken();
  try {
    await file.writeFile(text).finally(() => file.close());
  } catch (error) {
    await rm(path, { force: true });
    throw error;
  }
  return true;
}

/** The holder who is there, or null for an unknown one. Undefined: try again. */
async function removeIfStale(path: string): Promise<Holder | null | undefined> {
  const text = await readFile(path, "utf8").catch((error: unknown) => (isGone(error) ? undefined : null));
  // A lock that cannot be read, such as another user's, is somebody's.
  if (text === undefined || text === null) return text;
  const holder = parseHolder(text);
  if (holder === null || isAlive(holder, path)) return holder;
  // Another process may do the same now: only the one that moved the stale file away removes it.
  const aside = temporaryBeside(path);
  try {
    await rename(path, aside);
  } catch (error) {
    // A lock that cannot be moved stays its holder's, even where that is gone.
    return isGone(error) ? undefined : holder;
  }
  const moving = await readFile(aside, "utf8").catch(() => text);
  if (moving !== text) await placeIfFree(aside, path, { text: moving, onTaken: () => undefined });
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
    return codeOf(error) === "EPERM";
  }
}

function codeOf(error: unknown): unknown {
  return (error as { code?: unknown }).code;
}

function isGone(error: unknown): boolean {
  return codeOf(error) === "ENOENT";
}
