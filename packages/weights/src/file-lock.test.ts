import { existsSync } from "node:fs";
import { mkdir, mkdtemp, readdir, readFile, rm, writeFile } from "node:fs/promises";
import { hostname, tmpdir } from "node:os";
import { join } from "node:path";

import { afterEach, beforeEach, describe, expect, it, vi } from "vitest";

import { byHolder, tryLock } from "./file-lock.js";

type Call = "link" | "readFile" | "rename" | "rm" | "writeFile";

const disk = vi.hoisted(() => ({
  /** The code with which a call fails, or null. */
  fault: (_call: string, _path: string): string | null => null,
  /** Called before a call is made, which waits for it. */
  before: async (_call: string, _path: string): Promise<void> => undefined,
}));

// File systems without hard links and other users' files cannot be made by every user on every system.
vi.mock("node:fs/promises", async (importOriginal) => {
  const real = await importOriginal<typeof import("node:fs/promises")>();
  const check = async (call: Call, path: string): Promise<void> => {
    await disk.before(call, path);
    const code = disk.fault(call, path);
    if (code !== null) throw Object.assign(new Error(`${code}: ${call}`), { code });
  };
  return {
    ...real,
    link: async (from: string, to: string) => check("link", to).then(() => real.link(from, to)),
    readFile: async (path: string, encoding: "utf8") =>
      check("readFile", path).then(() => real.readFile(path, encoding)),
    rename: async (from: string, to: string) => check("rename", from).then(() => real.rename(from, to)),
    rm: async (path: string, options: object) => check("rm", path).then(() => real.rm(path, options)),
    open: async (path: string, flags: string) => {
      const file = await real.open(path, flags);
      const write = file.writeFile.bind(file);
      file.writeFile = (text) => check("writeFile", path).then(() => write(text));
      return file;
    },
  };
});

const since = "2026-01-01T00:00:00.000Z";
const gone = `${JSON.stringify({ pid: 2 ** 22 + 1, host: hostname(), since })}\n`;
const elsewhere = { pid: 7, host: "elsewhere", since };

let folder: string;
let path: string;

beforeEach(async () => {
  folder = await mkdtemp(join(tmpdir(), "file-lock-"));
  path = join(folder, "lock");
});

afterEach(async () => {
  disk.fault = () => null;
  disk.before = async () => undefined;
  await rm(folder, { recursive: true, force: true });
});

/** Who holds the lock; it must be held. */
async function holderOf(lock: string) {
  const found = await tryLock(lock);
  if (found.release !== null) throw new Error("the lock was free");
  return found.holder;
}

/** Takes the lock; it must be free. */
async function take(lock: string): Promise<() => Promise<void>> {
  const found = await tryLock(lock);
  if (found.release === null) throw new Error(`the lock is held ${byHolder(found.holder)}`);
  return found.release;
}

describe("a lock file", () => {
  it("that cannot be read is somebody's", async () => {
    await writeFile(path, gone);
    disk.fault = (call, at) => (call === "readFile" && at === path ? "EACCES" : null);
    expect(await holderOf(path)).toBeNull();
    disk.fault = () => null;
    await (await take(path))();
    await mkdir(path);
    expect(await holderOf(path)).toBeNull();
  });

  it("that goes away while it is looked at is free", async () => {
    await writeFile(path, gone);
    disk.before = async (call, at) => {
      if (call !== "readFile" || at !== path) return;
      disk.before = async () => undefined;
      await rm(path);
    };
    await (await take(path))();
  });

  it("that is stale and cannot be moved away stays its holder's", async () => {
    await writeFile(path, gone);
    disk.fault = (call) => (call === "rename" ? "EPERM" : null);
    expect(await holderOf(path)).toEqual(JSON.parse(gone));
  });

  it("is held until its file is gone", async () => {
    const release = await take(path);
    let second: unknown;
    disk.before = async (call, at) => {
      if (call !== "rm" || at !== path) return;
      disk.before = async () => undefined;
      second = await holderOf(path);
    };
    await release();
    expect(second).toMatchObject({ pid: process.pid });
    expect(existsSync(path)).toBe(false);
    const again = await take(path);
    expect(await holderOf(path)).toMatchObject({ pid: process.pid });
    await again();
  });

  it("is not made on a disk that fails otherwise", async () => {
    disk.fault = (call) => (call === "link" ? "EIO" : null);
    await expect(tryLock(path)).rejects.toThrow("EIO: link");
    expect(await readdir(folder)).toEqual([]);
  });
});

describe.each(["EPERM", "ENOTSUP", "ENOSYS", "EOPNOTSUPP"])("where links end in %s, a lock", (code) => {
  beforeEach(() => {
    disk.fault = (call) => (call === "link" ? code : null);
  });

  it("belongs to one at a time", async () => {
    const release = await take(path);
    expect(JSON.parse(await readFile(path, "utf8"))).toMatchObject({ pid: process.pid, host: hostname() });
    expect(await holderOf(path)).toMatchObject({ pid: process.pid });
    await release();
    await (await take(path))();
    expect(await readdir(folder)).toEqual([]);
  });

  it("goes to exactly one of many that ask at once, also over a stale one", async () => {
    await writeFile(path, gone);
    const found = await Promise.all([1, 2, 3, 4, 5].map(() => tryLock(path)));
    expect(found.filter(({ release }) => release !== null)).toHaveLength(1);
  });

  it("is held while its text is not written", async () => {
    const seen: unknown[] = [];
    disk.before = async (call, at) => {
      if (call !== "writeFile" || at !== path) return;
      disk.before = async () => undefined;
      for (const text of ["", gone.slice(0, 9), gone.trimEnd().slice(0, -1)]) {
        await writeFile(path, text);
        seen.push(await holderOf(path));
      }
      await writeFile(path, "");
    };
    const release = await take(path);
    expect(seen).toEqual([null, null, null]);
    expect(await holderOf(path)).toMatchObject({ pid: process.pid });
    await release();
  });

  it("is not left behind where its text cannot be written", async () => {
    disk.fault = (call) => (call === "link" ? code : call === "writeFile" ? "ENOSPC" : null);
    await expect(tryLock(path)).rejects.toThrow("ENOSPC");
    expect(await readdir(folder)).toEqual([]);
  });

  it("that was taken while a stale one was looked at is put back", async () => {
    await writeFile(path, gone);
    disk.before = async (call) => {
      if (call !== "rename") return;
      disk.before = async () => undefined;
      await writeFile(path, JSON.stringify(elsewhere));
    };
    expect(await holderOf(path)).toEqual(elsewhere);
    expect(await readdir(folder)).toEqual(["lock"]);
  });
});
