import { existsSync } from "node:fs";
import { mkdir, mkdtemp, readdir, readFile, rm, symlink, truncate, writeFile } from "node:fs/promises";
import { hostname, tmpdir } from "node:os";
import { join } from "node:path";

import { BasicError, type RunStore } from "@basic-mllm/core";
import { afterEach, beforeEach, describe, expect, it, vi } from "vitest";

import { writeAtomically } from "./files.js";
import { createDiskStore } from "./run-store.js";

const disk = vi.hoisted(() => ({
  isFull: (_path: string): boolean => false,
  /** Called before a path is removed, which waits for it. */
  beforeRemove: async (_path: string): Promise<void> => undefined,
}));

// The only way to a full disk that works everywhere: the files of chosen paths refuse to be written.
vi.mock("node:fs/promises", async (importOriginal) => {
  const real = await importOriginal<typeof import("node:fs/promises")>();
  return {
    ...real,
    open: async (path: string, flags: string) => {
      const file = await real.open(path, flags);
      if (flags !== "r" && disk.isFull(path)) {
        file.writeFile = () => Promise.reject(Object.assign(new Error("no space"), { code: "ENOSPC" }));
      }
      return file;
    },
    rm: async (path: string, options: object) => {
      await disk.beforeRemove(path);
      await real.rm(path, options);
    },
  };
});

const bytes = (text: string) => new TextEncoder().encode(text);
const text = (array: Uint8Array | undefined) => new TextDecoder().decode(array);

let folder: string;
let store: RunStore;

beforeEach(async () => {
  folder = await mkdtemp(join(tmpdir(), "run-store-"));
  store = createDiskStore(folder);
});

afterEach(async () => {
  disk.isFull = () => false;
  disk.beforeRemove = async () => undefined;
  await rm(folder, { recursive: true, force: true });
});

/** The error's text with the folder's name made stable. */
async function errorOf(promise: Promise<unknown>): Promise<string> {
  const error = await promise.catch((reason: unknown) => reason);
  if (!(error instanceof BasicError)) throw error;
  return error.message
    .replaceAll(folder, "RUN")
    .replaceAll(hostname(), "HOST")
    .replaceAll(String(process.pid), "PID");
}

describe("files of a disk store", () => {
  it("are written whole, read, listed and removed", async () => {
    await store.write("a/one.txt", bytes("1"));
    await store.write("a/one.txt", bytes("one"));
    await store.write("a/b/two.txt", bytes("2"));
    expect(text(await store.read("a/one.txt"))).toBe("one");
    expect(await store.list("a")).toEqual(["b", "one.txt"]);
    expect(await store.list("nothing")).toEqual([]);
    expect([await store.exists("a/b"), await store.exists("c")]).toEqual([true, false]);
    await store.remove("a/b");
    expect(await store.exists("a/b/two.txt")).toBe(false);
    expect(await readdir(join(folder, "a"))).toEqual(["one.txt"]);
  });

  it("of lines grow and are cut back, also after a line that a kill cut short", async () => {
    for (const line of ["x", "ÿ", "z"]) await store.append("log", line);
    await writeFile(join(folder, "log"), "half a li", { flag: "a" });
    await store.truncateLines("log", 2);
    expect(text(await store.read("log"))).toBe("x\nÿ\n");
    await store.truncateLines("log", 9);
    await store.truncateLines("nothing", 2);
    expect(text(await store.read("log"))).toBe("x\nÿ\n");
    await store.truncateLines("log", 0);
    expect(text(await store.read("log"))).toBe("");
  });
});

describe("folders of a disk store", () => {
  const contents = { "a.bin": bytes("abc"), "b.json": bytes("{}") };

  it("come back with the same bytes, also when written twice", async () => {
    await store.writeFolder("checkpoints/step-1", { "a.bin": bytes("old") });
    await store.writeFolder("checkpoints/step-1", contents);
    const read = await store.readFolder("checkpoints/step-1");
    expect(Object.keys(read)).toEqual(["a.bin", "b.json"]);
    expect(text(read["a.bin"])).toBe("abc");
    expect(await readdir(join(folder, "checkpoints"))).toEqual(["step-1"]);
  });

  it("take the pieces of a file as they come, and keep nothing where these end in an error", async () => {
    const asked: string[] = [];
    async function* pieces(last: "c" | "error") {
      for (const piece of ["ab", last]) {
        asked.push(piece);
        if (piece === "error") throw new Error("read error");
        yield bytes(piece);
      }
    }
    await store.writeFolder("checkpoints/step-1", { "a.bin": pieces("c"), "b.json": bytes("{}") });
    expect(text((await store.readFolder("checkpoints/step-1"))["a.bin"])).toBe("abc");
    await expect(store.writeFolder("checkpoints/step-1", { "a.bin": pieces("error") })).rejects.toThrow(
      "read error",
    );
    expect(asked).toEqual(["ab", "c", "ab", "error"]);
    expect(text((await store.readFolder("checkpoints/step-1"))["a.bin"])).toBe("abc");
    expect(await readdir(join(folder, "checkpoints"))).toEqual(["step-1"]);
  });

  it.each([
    [
      "a changed byte",
      (path: string) => writeFile(join(path, "a.bin"), "abd"),
      "the SHA-256 of a.bin differs",
    ],
    ["a file cut short", (path: string) => truncate(join(path, "a.bin"), 1), "a.bin has 1 bytes, expected 3"],
    ["a missing file", (path: string) => rm(join(path, "b.json")), "the file b.json is missing"],
    ["a missing manifest", (path: string) => rm(join(path, "manifest.json")), "its manifest is missing"],
    [
      "a broken manifest",
      (path: string) => writeFile(join(path, "manifest.json"), "{"),
      "its manifest is not JSON",
    ],
  ])("show %s", async (_, damage, problem) => {
    await store.writeFolder("checkpoints/step-1", contents);
    await damage(join(folder, "checkpoints/step-1"));
    expect(await errorOf(store.readFolder("checkpoints/step-1"))).toBe(
      `Checkpoint checkpoints/step-1 is damaged: ${problem}. [E_CHECKPOINT_CORRUPT]`,
    );
  });

  it.each(["null", "{}", '{"files":{"a.bin":null}}'])("show the manifest %s", async (manifest) => {
    await store.writeFolder("checkpoints/step-1", contents);
    await writeFile(join(folder, "checkpoints/step-1/manifest.json"), manifest);
    expect(await errorOf(store.readFolder("checkpoints/step-1"))).toBe(
      "Checkpoint checkpoints/step-1 is damaged: its manifest lists no files with their sizes and hashes. [E_CHECKPOINT_CORRUPT]",
    );
  });

  it("that a kill left half-written are not listed, and go away with the next lock", async () => {
    await mkdir(join(folder, "checkpoints/.tmp-step-2"), { recursive: true });
    await writeFile(join(folder, ".tmp-recipe.json"), "{");
    expect(await store.list("checkpoints")).toEqual([]);
    await (await store.lock())();
    expect(await readdir(join(folder, "checkpoints"))).toEqual([]);
    expect(await readdir(folder)).toEqual(["checkpoints"]);
  });
});

describe("a full disk", () => {
  it("leaves the old file and no half of the new one", async () => {
    await store.write("recipe.json", bytes("old"));
    disk.isFull = () => true;
    expect(await errorOf(store.write("recipe.json", bytes("new")))).toMatchInlineSnapshot(
      `"The disk is full: recipe.json could not be written in RUN. Nothing was damaged. Make space and resume the run: it goes on from its last checkpoint. [E_DISK_FULL]"`,
    );
    expect(await readdir(folder)).toEqual(["recipe.json"]);
    expect(text(await store.read("recipe.json"))).toBe("old");
  });

  it("leaves the old checkpoints and no half of a new one", async () => {
    await store.writeFolder("checkpoints/step-1", { a: bytes("1") });
    disk.isFull = (path) => path.endsWith("b");
    const error = await errorOf(store.writeFolder("checkpoints/step-2", { a: bytes("1"), b: bytes("2") }));
    expect(error).toMatchInlineSnapshot(
      `"The disk is full: checkpoints/step-2 could not be written in RUN. Nothing was damaged. Make space and resume the run: it goes on from its last checkpoint. [E_DISK_FULL]"`,
    );
    expect(await readdir(join(folder, "checkpoints"))).toEqual(["step-1"]);
  });

  it("is explained for single files too", async () => {
    disk.isFull = (path) => path.includes("config.json");
    expect(await errorOf(writeAtomically(join(folder, "config.json"), [bytes("{}")]))).toBe(
      "RUN/config.json could not be written: the disk is full. Nothing was changed. Make space and run the command again. [E_DISK_FULL]",
    );
    expect(await readdir(folder)).toEqual([]);
  });

  it.runIf(existsSync("/dev/full"))("is recognised from the system's own error", async () => {
    await symlink("/dev/full", join(folder, "metrics.jsonl"));
    expect(await errorOf(store.append("metrics.jsonl", "line"))).toMatch(/E_DISK_FULL/);
  });

  it("is not blamed for other errors", async () => {
    await store.write("a", bytes("1"));
    await expect(store.write("a/b", bytes("2"))).rejects.toMatchObject({
      code: expect.stringMatching(/ENOTDIR|EEXIST/),
    });
  });
});

describe("the lock of a disk store", () => {
  const holder = (fields: object) => writeFile(join(folder, "lock"), JSON.stringify(fields));
  const since = "2026-01-01T00:00:00.000Z";

  it("belongs to one run at a time", async () => {
    const release = await store.lock();
    const second = await errorOf(createDiskStore(folder).lock());
    expect(second.replace(/since \S+ /, "since TIME ")).toMatchInlineSnapshot(
      `"The run folder RUN is in use by process PID on HOST since TIME Wait for it, choose another folder, or, if that process is gone, remove RUN/lock. [E_RUN_LOCKED]"`,
    );
    await release();
    await (await store.lock())();
    expect(await readdir(folder)).toEqual([]);
  });

  it("is taken over from a process that is gone", async () => {
    await holder({ pid: 2 ** 22 + 1, host: hostname(), since });
    await (await store.lock())();
    expect(await readdir(folder)).toEqual([]);
  });

  it("is taken over from an earlier process with our number, as in a restarted container", async () => {
    await holder({ pid: process.pid, host: hostname(), since });
    await (await store.lock())();
  });

  it("is respected where the process lives, or is on another machine", async () => {
    await holder({ pid: process.ppid, host: hostname(), since });
    await expect(store.lock()).rejects.toThrow(/E_RUN_LOCKED/);
    await holder({ pid: 1234, host: "elsewhere", since });
    expect(await errorOf(store.lock())).toMatchInlineSnapshot(
      `"The run folder RUN is in use by process 1234 on elsewhere since 2026-01-01T00:00:00.000Z. Wait for it, choose another folder, or, if that process is gone, remove RUN/lock. [E_RUN_LOCKED]"`,
    );
    await writeFile(join(folder, "lock"), "?");
    expect(await errorOf(store.lock())).toMatchInlineSnapshot(
      `"The run folder RUN is in use by an unknown process. Wait for it, choose another folder, or, if that process is gone, remove RUN/lock. [E_RUN_LOCKED]"`,
    );
    expect(await readFile(join(folder, "lock"), "utf8")).toBe("?");
    await holder({});
    expect(await errorOf(store.lock())).toContain("in use by an unknown process");
  });

  it("is held from the moment that its file is there", async () => {
    let second: Promise<string> | undefined;
    disk.beforeRemove = async (path) => {
      if (second !== undefined || !path.includes(".tmp-lock-")) return;
      second = errorOf(createDiskStore(folder).lock());
      await second;
    };
    const release = await store.lock();
    expect(await second).toMatch(/E_RUN_LOCKED/);
    await release();
  });

  it("goes to exactly one of many that ask at once, also over a stale one", async () => {
    await holder({ pid: 2 ** 22 + 1, host: hostname(), since });
    const results = await Promise.allSettled([1, 2, 3, 4, 5].map(() => createDiskStore(folder).lock()));
    expect(results.filter(({ status }) => status === "fulfilled").length).toBe(1);
  });
});
