import { mkdir, mkdtemp, readdir, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";

import { afterAll, beforeAll, describe, expect, it } from "vitest";

import { openSafetensors, writeAtomically, writeSafetensors } from "./files.js";
import { readJson } from "./json-file.js";
import { WeightFolder } from "./weight-folder.js";

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

describe("WeightFolder", () => {
  it("reads the shards that the index names", async () => {
    const folder = join(scratch, "shards");
    await writeSafetensors(join(folder, "a.safetensors"), [tensor("x")]);
    await writeSafetensors(join(folder, "b.safetensors"), [tensor("y")]);
    const map = { x: "a.safetensors", y: "b.safetensors" };
    await writeFile(join(folder, "model.safetensors.index.json"), JSON.stringify({ weight_map: map }));
    const weights = new WeightFolder(folder);
    expect([...weights.floats(["y"], [2])]).toEqual([1, 2]);
    expect(messageOf(() => weights.checkAllUsed())).toMatchInlineSnapshot(
      `"scratch/shards holds 1 tensors that a model of its config.json does not have: x. Is config.json of another model? [E_WEIGHTS_FORMAT]"`,
    );
    weights.ignore("x");
    expect(() => weights.checkAllUsed()).not.toThrow();
    weights.close();
  });

  it("explains missing tensors and other shapes", async () => {
    const folder = join(scratch, "one");
    await writeSafetensors(join(folder, "model.safetensors"), [tensor("x")]);
    const weights = new WeightFolder(folder);
    expect(messageOf(() => weights.floats(["y", "model.y"], [2]))).toMatchInlineSnapshot(
      `"scratch/one holds no tensor "y" (or model.y). Is config.json of another model, or a shard missing? [E_WEIGHTS_MISSING]"`,
    );
    expect(messageOf(() => weights.floats(["x"], [3, 1]))).toMatchInlineSnapshot(
      `"scratch/one/model.safetensors: tensor "x" has shape [2], but config.json asks for [3, 1]. [E_WEIGHTS_FORMAT]"`,
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
    expect(() => weights.checkAllUsed()).not.toThrow();
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
    expect(await withMap({ x: "not-there.safetensors" })).toMatchInlineSnapshot(
      `"scratch/bad lacks 1 of the 1 files that its model.safetensors.index.json names: not-there.safetensors. Found: none of them. Download the missing ones. [E_WEIGHTS_MISSING]"`,
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
