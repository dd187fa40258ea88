import type * as fs from "node:fs/promises";
import { mkdir, mkdtemp, readdir, readFile, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";

import fc from "fast-check";
import { afterAll, beforeAll, beforeEach, describe, expect, it, vi } from "vitest";

import { openSafetensors } from "./files.js";
import { type ShardOptions, writeShards } from "./shards.js";
import { WeightFolder } from "./weight-folder.js";

/** What happens before each change of the disk; may throw instead. */
const disk = vi.hoisted(() => ({ before: (_call: string, _path: string): void => undefined }));

vi.mock("node:fs/promises", async (original) => {
  const real = await original<typeof fs>();
  const watched = <A extends readonly unknown[], R>(name: string, call: (...args: A) => Promise<R>) => {
    return async (...args: A): Promise<R> => {
      disk.before(name, String(args[0]));
      return call(...args);
    };
  };
  return {
    ...real,
    open: watched("open", real.open),
    rename: watched("rename", real.rename),
    link: watched("link", real.link),
    rm: watched("rm", real.rm),
  };
});

let folder: string;

beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), "shards-"));
});

beforeEach(async () => {
  disk.before = () => undefined;
  await rm(folder, { recursive: true, force: true });
  await mkdir(folder);
});

afterAll(() => rm(folder, { recursive: true, force: true }));

/** Four tensors of 16 bytes in which every value is `mark`. */
const model = (mark: number) =>
  ["a", "b", "c", "d"].map((name) => ({ name, shape: [4], values: () => new Float32Array(4).fill(mark) }));

/** The value of all tensors of the folder, or a list of different ones. */
function marks(): number | readonly number[] {
  const weights = new WeightFolder(folder);
  const values = ["a", "b", "c", "d"].map((name) => weights.floats(name)[0] as number);
  weights.close();
  const [first] = values as [number];
  return values.every((value) => value === first) ? first : values;
}

const files = async () => (await readdir(folder)).sort();

describe("writeShards", () => {
  it("writes one file where the weights fit into it", async () => {
    expect(await writeShards(folder, model(1), { maxShardSize: 64 })).toEqual(["model.safetensors"]);
    expect(await files()).toEqual(["model.safetensors"]);
    expect(marks()).toBe(1);
  });

  it("writes shards and their index in Hugging Face's layout", async () => {
    const names = await writeShards(folder, model(1), { maxShardSize: 32 });
    expect(names).toEqual(["model-00001-of-00002.safetensors", "model-00002-of-00002.safetensors"]);
    expect(await files()).toEqual([...names, "model.safetensors.index.json"]);
    expect(await readFile(join(folder, "model.safetensors.index.json"), "utf8")).toMatchInlineSnapshot(`
      "{
        "metadata": {
          "total_size": 64
        },
        "weight_map": {
          "a": "model-00001-of-00002.safetensors",
          "b": "model-00001-of-00002.safetensors",
          "c": "model-00002-of-00002.safetensors",
          "d": "model-00002-of-00002.safetensors"
        }
      }
      "
    `);
    const shard = openSafetensors(join(folder, names[1] as string));
    expect([shard.names, shard.metadata]).toEqual([["c", "d"], { format: "pt" }]);
    shard.close();
  });

  it("fills shards in order, whatever the sizes", async () => {
    const sizes = fc.array(fc.integer({ min: 0, max: 40 }), { minLength: 1, maxLength: 12 });
    await fc.assert(
      fc.asyncProperty(sizes, fc.integer({ min: 1, max: 60 }), async (counts, limit) => {
        const tensors = counts.map((count, i) => ({
          name: `t${i}`,
          shape: [count],
          values: Float32Array.from({ length: count }, (_, j) => i + j / 64),
        }));
        const names = await writeShards(folder, tensors, { maxShardSize: 2 * limit, dtype: "BF16" });
        const stored: string[] = [];
        for (const name of names) {
          const file = openSafetensors(join(folder, name));
          const own = file.names.map((tensor) => file.entry(tensor).end - file.entry(tensor).begin);
          const total = own.reduce((sum, bytes) => sum + bytes, 0);
          expect(
            total <= 2 * limit || own.length === 1 || own.filter((bytes) => bytes > 0).length === 1,
          ).toBe(true);
          stored.push(...file.names);
          file.close();
        }
        expect(stored).toEqual(tensors.map(({ name }) => name));
        const expected = names.length === 1 ? names : [...names, "model.safetensors.index.json"];
        expect(await files()).toEqual([...expected].sort());
      }),
      { seed: 3, numRuns: 30 },
    );
  });

  it.each([
    ["5", 1],
    ["half", 1],
    ["0.064kB", 1],
    ["16 B", 1],
  ])("knows sizes: %s", async (size) => {
    const result = await writeShards(folder, model(1), { maxShardSize: size }).catch(
      (error: unknown) => (error as Error).message,
    );
    expect(result).toMatchSnapshot();
  });

  it.each([0, -1, Number.NaN])("refuses %d bytes", async (maxShardSize) => {
    await expect(writeShards(folder, model(1), { maxShardSize })).rejects.toThrow(/`maxShardSize`.*E_CONFIG/);
    expect(await files()).toEqual([]);
  });

  it("refuses two tensors of one name, even in different shards", async () => {
    const twice = [...model(1), ...model(2)];
    await expect(writeShards(folder, twice, { maxShardSize: 16 })).rejects.toThrow(/E_NAME_DUPLICATE/);
    expect(await files()).toEqual([]);
  });

  it("holds one lazy tensor at a time", async () => {
    const registry: string[] = [];
    const tensors = model(1).map((tensor) => ({
      ...tensor,
      values: async () => {
        registry.push(tensor.name);
        return tensor.values();
      },
    }));
    await writeShards(folder, tensors, { maxShardSize: 16 });
    expect(registry).toEqual(["a", "b", "c", "d"]);
  });

  it("leaves other files of the folder alone", async () => {
    const others = ["config.json", "model.gguf", "model.fp16.safetensors", "mm_projector.safetensors"];
    for (const name of others) await writeFile(join(folder, name), "mine");
    await writeShards(folder, model(1), { maxShardSize: 16 });
    await writeShards(folder, model(2));
    expect(await files()).toEqual([...others, "model.safetensors"].sort());
  });
});

const layouts: readonly (readonly [string, ShardOptions])[] = [
  ["one file", {}],
  ["two shards", { maxShardSize: 32 }],
  ["four shards", { maxShardSize: 16 }],
];

describe.each(layouts)("replacing %s", (_, before) => {
  it.each(layouts)("by %s, the folder is old or new as a whole at every moment", async (_, after) => {
    await writeShards(folder, model(1), before);
    const seen: (number | readonly number[])[] = [];
    disk.before = () => seen.push(marks());
    await writeShards(folder, model(2), after);
    disk.before = () => undefined;
    expect(seen.length).toBeGreaterThan(3);
    expect(seen.join()).toMatch(/^1(,1)*(,2)*$/);
    expect(marks()).toBe(2);
    expect(
      (await files()).filter((name) => !/^model(-\d{5}-of-\d{5})?\.safetensors(\.index\.json)?$/.test(name)),
    ).toEqual([]);
  });

  it.each(layouts.slice(0, 2))(
    "by %s, a full disk at any moment leaves whole weights and no rest",
    async (_, after) => {
      for (let failing = 0; ; failing++) {
        disk.before = () => undefined;
        await rm(folder, { recursive: true, force: true });
        await writeShards(folder, model(1), before);
        const old = await files();
        let calls = 0;
        let failed = false;
        disk.before = (call) => {
          if (call === "rm" || failed || calls++ < failing) return;
          failed = true;
          throw Object.assign(new Error("full"), { code: "ENOSPC" });
        };
        const error: unknown = await writeShards(folder, model(2), after).then(
          () => undefined,
          (reason: unknown) => reason,
        );
        disk.before = () => undefined;
        if (!failed) break;
        expect((error as Error).message.replace(folder, "FOLDER")).toMatchInlineSnapshot(
          `"The weights could not be written to FOLDER: the disk is full. No file was left half-written. Make space and run the command again. [E_DISK_FULL]"`,
        );
        const now = marks();
        expect([1, 2]).toContain(now);
        if (now === 1) expect(await files()).toEqual(old);
        await writeShards(folder, model(3), after);
        expect([marks(), (await files()).filter((name) => /\.[0-9a-f]{8}\./.test(name))]).toEqual([3, []]);
      }
    },
  );
});

it("copies where the file system has no second names", async () => {
  await writeShards(folder, model(1), { maxShardSize: 32 });
  disk.before = (call) => {
    if (call === "link") throw Object.assign(new Error("no links"), { code: "EPERM" });
  };
  await writeShards(folder, model(2), { maxShardSize: 32 });
  expect(marks()).toBe(2);
  expect((await files()).length).toBe(3);
});

it("removes what a killed writer left", async () => {
  await writeFile(join(folder, "model-00001-of-00002.0123abcd.safetensors"), "half");
  await writeFile(join(folder, "model.safetensors.index.json.0123abcd.tmp"), "{");
  await writeShards(folder, model(1));
  expect(await files()).toEqual(["model.safetensors"]);
});
