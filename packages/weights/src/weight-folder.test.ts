import { mkdir, mkdtemp, readdir, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";

import { afterAll, beforeAll, describe, expect, it } from "vitest";

import { openSafetensors, writeAtomically, writeSafetensors } from "./files.js";
import { readJson } from "./json-file.js";
import { openWeights, WeightFolder } from "./weight-folder.js";

let scratch: string;

beforeAll(async () => {
  scratch = await mkdtemp(join(tmpdir(), "basic-mllm-"));
});

afterAll(async () => {
  await rm(scratch, { recursive: true });
});

/** What `run` throws, without the folder's own name. */
function messageOf(run: () => unknown): string {
  try {
    run();
  } catch (error) {
    return (error as Error).message.replaceAll(scratch, "scratch");
  }
  throw new Error("nothing was thrown");
}

const tensor = (name: string) => ({ name, shape: [2], values: Float32Array.of(1, 2) });

const wanted = (name: string, shape: readonly number[] = [2], ...fields: readonly string[]) => {
  return { names: [name], shape, fields };
};

async function putShards(folder: string, map: Readonly<Record<string, string>>): Promise<void> {
  await writeSafetensors(join(folder, "a.safetensors"), [tensor("x")]);
  const y = { ...tensor("y"), values: Float32Array.of(3, 4) };
  await writeSafetensors(join(folder, "b.safetensors"), [y, { ...y, name: "x" }]);
  await writeFile(join(folder, "model.safetensors.index.json"), JSON.stringify({ weight_map: map }));
}

describe("WeightFolder", () => {
  it("reads the shards that the index names", async () => {
    const folder = join(scratch, "shards");
    await putShards(folder, { x: "a.safetensors", y: "b.safetensors" });
    const weights = new WeightFolder(folder);
    expect(weights.find(["model.y", "y"]).name).toBe("y");
    expect([weights.names, weights.has("z")]).toEqual([["x", "y"], false]);
    expect([weights.entry("y").shape, [...weights.floats("y")]]).toEqual([[2], [3, 4]]);
    weights.check([wanted("y"), wanted("x")]);
    weights.check([wanted("y")], ["x"]);
    weights.close();
  });

  it.each([
    ["a", [1, 2]],
    ["b", [3, 4]],
  ])("takes a tensor of two shards from that which the index names: %s", async (shard, values) => {
    const folder = join(scratch, `twice-${shard}`);
    await putShards(folder, { y: "b.safetensors", x: `${shard}.safetensors`, z: "a.safetensors" });
    const weights = new WeightFolder(folder);
    expect([...weights.floats("x")]).toEqual(values);
    weights.close();
  });

  it("is opened like a single file", async () => {
    const folder = join(scratch, "either");
    await putShards(folder, { x: "a.safetensors", y: "b.safetensors" });
    for (const path of [folder, join(folder, "b.safetensors")]) {
      const weights = openWeights(path);
      expect([...weights.floats("y")]).toEqual([3, 4]);
      expect(messageOf(() => weights.integers("y"))).toMatch(/has type F32, expected I32/);
      weights.close();
    }
    expect(messageOf(() => openWeights(join(folder, "c")))).toMatch(/E_WEIGHTS_MISSING/);
  });

  it("lists everything that is wrong at once", async () => {
    const folder = join(scratch, "one");
    await putShards(folder, { x: "a.safetensors", y: "b.safetensors", z: "b.safetensors" });
    const weights = new WeightFolder(folder);
    const check = (...list: ReturnType<typeof wanted>[]) => messageOf(() => weights.check(list));
    expect(check(wanted("z"), wanted("v", [3, 1]), wanted("x", [4], "size"))).toMatchInlineSnapshot(`
      "scratch/one does not hold the model of its config.json.
      2 of 3 tensors are missing:
        z [2], which the index says is in b.safetensors
        v [3, 1]
      1 of 3 tensors is of another shape:
        x has shape [2] in a.safetensors, but config.json asks for [4]: \`size\` is 4
      1 of 2 stored tensors is without a place in the model:
        y
      Found: 1 tensors in a.safetensors, 1 tensors in b.safetensors (x, y).
      Is config.json of another model, or a file of another checkpoint? Download the folder again, or correct the field. [E_WEIGHTS_MISSING]"
    `);
    expect(check(wanted("x"), wanted("y", [3, 1]))).toMatchInlineSnapshot(`
      "scratch/one does not hold the model of its config.json.
      1 of 2 tensors is of another shape:
        y has shape [2] in b.safetensors, but config.json asks for [3, 1]
      Found: 1 tensors in a.safetensors, 1 tensors in b.safetensors (x, y).
      Is config.json of another model, or a file of another checkpoint? Download the folder again, or correct the field. [E_WEIGHTS_FORMAT]"
    `);
    expect(check(wanted("x"))).toMatchInlineSnapshot(`
      "scratch/one does not hold the model of its config.json.
      1 of 2 stored tensors is without a place in the model:
        y
      Found: 1 tensors in a.safetensors, 1 tensors in b.safetensors (x, y).
      Is config.json of another model, or a file of another checkpoint? Download the folder again, or correct the field. [E_WEIGHTS_FORMAT]"
    `);
    expect(check(...Array.from({ length: 12 }, (_, i) => wanted(`v${i}`)))).toMatchInlineSnapshot(`
      "scratch/one does not hold the model of its config.json.
      12 of 12 tensors are missing:
        v0 [2]
        v1 [2]
        v2 [2]
        v3 [2]
        v4 [2]
        v5 [2]
        v6 [2]
        v7 [2]
        v8 [2]
        v9 [2]
        ... and 2 more
      2 of 2 stored tensors are without a place in the model:
        x
        y
      Found: 1 tensors in a.safetensors, 1 tensors in b.safetensors (x, y).
      Is config.json of another model, or a file of another checkpoint? Download the folder again, or correct the field. [E_WEIGHTS_MISSING]"
    `);
    expect(messageOf(() => weights.find(["v", "w"]))).toMatchInlineSnapshot(
      `"scratch/one holds no tensor "v" or "w". [E_WEIGHTS_MISSING]"`,
    );
    weights.close();
  });

  it("ignores tensors that are no weights of the features' path", async () => {
    const folder = join(scratch, "extras");
    const names = [
      "vision_model.embeddings.position_ids",
      "vision_model.head.probe",
      "text_model.x",
      "logit_scale",
    ];
    await writeSafetensors(join(folder, "model.safetensors"), names.map(tensor));
    const weights = new WeightFolder(folder);
    expect(() => weights.check([])).not.toThrow();
    weights.close();
  });

  it("explains folders that it cannot read", async () => {
    const folder = join(scratch, "bad");
    await mkdir(folder);
    expect(messageOf(() => new WeightFolder(folder))).toMatchInlineSnapshot(
      `"scratch/bad holds neither model.safetensors nor model.safetensors.index.json. Found: nothing. Other formats (pytorch_model.bin) must be converted first. [E_WEIGHTS_MISSING]"`,
    );
    const index = join(folder, "model.safetensors.index.json");
    const withMap = async (map: unknown) => {
      await writeFile(index, JSON.stringify({ weight_map: map }));
      return messageOf(() => new WeightFolder(folder));
    };
    expect(await withMap("x")).toMatchInlineSnapshot(
      `"scratch/bad/model.safetensors.index.json has no object \`weight_map\`. Download it again. [E_WEIGHTS_FORMAT]"`,
    );
    expect(await withMap({ x: "../../outside.safetensors" })).toMatchInlineSnapshot(
      `"scratch/bad/model.safetensors.index.json: \`weight_map\` must hold file names without folders. [E_WEIGHTS_FORMAT]"`,
    );
    await writeSafetensors(join(folder, "a.safetensors"), [tensor("x")]);
    const shards = { x: "a.safetensors", y: "b.safetensors", v: "c.safetensors", w: "c.safetensors" };
    expect(await withMap(shards)).toMatchInlineSnapshot(
      `"scratch/bad lacks 2 of the 3 files that its model.safetensors.index.json names: b.safetensors, c.safetensors, and with them 3 of 4 tensors (y, v, w). Found: a.safetensors. Download the missing ones. [E_WEIGHTS_MISSING]"`,
    );
    expect(await withMap({ x: "not-there.safetensors" })).toMatchInlineSnapshot(
      `"scratch/bad lacks 1 of the 1 files that its model.safetensors.index.json names: not-there.safetensors, and with them 1 of 1 tensors (x). Found: none of them. Download the missing ones. [E_WEIGHTS_MISSING]"`,
    );
    await writeFile(index, "[");
    expect(messageOf(() => new WeightFolder(folder))).toMatchInlineSnapshot(
      `"scratch/bad/model.safetensors.index.json is not JSON. Download it again. [E_CONFIG]"`,
    );
    expect(messageOf(() => readJson(join(folder, "config.json")))).toMatchInlineSnapshot(
      `"scratch/bad/config.json cannot be read. Check the path. [E_WEIGHTS_MISSING]"`,
    );
    await writeFile(index, "3");
    expect(messageOf(() => readJson(index))).toMatchInlineSnapshot(
      `"scratch/bad/model.safetensors.index.json must hold a JSON object. [E_CONFIG]"`,
    );
  });
});

describe("writeAtomically", () => {
  it("leaves the old file, and no other, when writing fails", async () => {
    const folder = join(scratch, "atomic");
    const path = join(folder, "w.safetensors");
    await writeSafetensors(path, [tensor("x")]);
    const pieces = (function* () {
      yield Uint8Array.of(1);
      throw new Error("cut");
    })();
    await expect(writeAtomically(path, pieces)).rejects.toThrow("cut");
    expect(await readdir(folder)).toEqual(["w.safetensors"]);
    const file = openSafetensors(path);
    expect([...file.floats("x")]).toEqual([1, 2]);
    file.close();
  });
});
