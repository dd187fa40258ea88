import { describe, expect, it } from "vitest";

import { createMemoryStore, type MemoryFiles } from "./memory-store.js";

const bytes = (text: string) => new TextEncoder().encode(text);
const text = (array: Uint8Array) => new TextDecoder().decode(array);

describe("createMemoryStore", () => {
  it("reads what was written, and lists folders", async () => {
    const store = createMemoryStore();
    await store.write("a/one.txt", bytes("1"));
    await store.write("a/b/two.txt", bytes("2"));
    expect(text(await store.read("a/one.txt"))).toBe("1");
    expect(await store.list("a")).toEqual(["b", "one.txt"]);
    expect([await store.exists("a/b"), await store.exists("c")]).toEqual([true, false]);
    await store.remove("a/b");
    expect(await store.exists("a/b/two.txt")).toBe(false);
    await expect(store.read("a/b/two.txt")).rejects.toThrow(/There is no file "a\/b\/two.txt"/);
  });

  it("appends lines and cuts them off again", async () => {
    const store = createMemoryStore();
    for (const line of ["x", "y", "z"]) await store.append("log", line);
    await store.truncateLines("log", 2);
    expect(text(await store.read("log"))).toBe("x\ny\n");
    await store.truncateLines("other", 0);
    expect(text(await store.read("other"))).toBe("");
  });

  it("finds a changed or missing file of a folder by its hash", async () => {
    const files: MemoryFiles = new Map();
    const store = createMemoryStore(files);
    await store.writeFolder("step-1", { "a.bin": bytes("abc") });
    expect(text((await store.readFolder("step-1"))["a.bin"] as Uint8Array)).toBe("abc");
    files.set("step-1/a.bin", bytes("abd"));
    await expect(store.readFolder("step-1")).rejects.toThrowErrorMatchingInlineSnapshot(
      `[BasicError: Checkpoint step-1 is damaged: the hash of a.bin differs. [E_CHECKPOINT_CORRUPT]]`,
    );
    files.delete("step-1/a.bin");
    await expect(store.readFolder("step-1")).rejects.toThrowErrorMatchingInlineSnapshot(
      `[BasicError: Checkpoint step-1 is damaged: the file a.bin is missing. [E_CHECKPOINT_CORRUPT]]`,
    );
    files.clear();
    await expect(store.readFolder("step-1")).rejects.toThrowErrorMatchingInlineSnapshot(
      `[BasicError: Checkpoint step-1 is damaged: its manifest is missing. [E_CHECKPOINT_CORRUPT]]`,
    );
  });

  it("collects the pieces of a file, and writes nothing where they end in an error", async () => {
    const store = createMemoryStore();
    async function* pieces(fail: boolean) {
      yield bytes("ab");
      if (fail) throw new Error("read error");
      yield bytes("c");
    }
    await store.writeFolder("step-1", { "a.bin": pieces(false) });
    expect(text((await store.readFolder("step-1"))["a.bin"] as Uint8Array)).toBe("abc");
    await expect(store.writeFolder("step-2", { "a.bin": pieces(true) })).rejects.toThrow("read error");
    expect(await store.exists("step-2")).toBe(false);
  });

  it("belongs to one run at a time", async () => {
    const files: MemoryFiles = new Map();
    const release = await createMemoryStore(files).lock();
    await expect(createMemoryStore(files).lock()).rejects.toThrowErrorMatchingInlineSnapshot(
      `[BasicError: Another training run uses this store in memory. Wait for its end. [E_RUN_LOCKED]]`,
    );
    await release();
    await (await createMemoryStore(files).lock())();
  });
});
