import { mkdtemp, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";

import { writeShards } from "@basic-mllm/weights";
import { expect, it } from "vitest";

import { modelFiles } from "./targets.js";

it("lists config and weights of a saved model, in one file or in shards", async () => {
  const folder = await mkdtemp(join(tmpdir(), "basic-mllm-targets-"));
  await writeFile(join(folder, "config.json"), "{}");
  await writeFile(join(folder, "mm_projector.safetensors"), "");
  const tensors = ["a", "b"].map((name) => ({ name, shape: [2], values: Float32Array.of(1, 2) }));
  await writeShards(folder, tensors);
  expect(modelFiles(folder)).toEqual(["config.json", "model.safetensors"]);
  await writeShards(folder, tensors, { maxShardSize: 8 });
  expect(modelFiles(folder)).toEqual([
    "config.json",
    "model-00001-of-00002.safetensors",
    "model-00002-of-00002.safetensors",
    "model.safetensors.index.json",
  ]);
  await rm(folder, { recursive: true });
});
