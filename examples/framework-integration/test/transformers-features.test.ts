import { mkdtemp, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, beforeAll, expect, it } from "vitest";

import { writeTinyEncoder } from "../src/tiny-onnx.js";
import { runTransformersFeatures } from "../src/transformers-features.js";
import { openTransformersSource } from "../src/transformers-source.js";

let folder = "";
beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), "basic-mllm-"));
});
afterAll(() => rm(folder, { recursive: true }));

it("trains a projector on features of transformers.js", async () => {
  const { first, last } = await runTransformersFeatures(join(folder, "run"));
  expect(first.parts["language"]).toBeGreaterThan(1);
  expect(last.parts["language"]).toBeLessThan(0.1);
  expect(last.parts["direction"]).toBeDefined();
});

it("gives the rows of each image, and an id that changes with the model", async () => {
  const sizes = [8, 12].map((width) => ({ imageSize: 16, patchSize: 8, width }));
  const sources = await Promise.all(
    sizes.map((size) => {
      const model = join(folder, `width-${size.width}`);
      writeTinyEncoder(model, size);
      return openTransformersSource(model);
    }),
  );
  const pixels = new Float32Array(2 * 16 * 16 * 3).fill(0.5, 16 * 16 * 3);
  const features = await sources[0]?.features({ pixels, shape: [2, 16, 16, 3] });
  expect(features).toMatchObject({ width: 8, offsets: Int32Array.of(0, 4, 8) });
  expect(features?.values.subarray(0, 32).every((value) => value === 0)).toBe(true);
  expect(features?.values.subarray(32, 40)).toEqual(features?.values.subarray(56, 64));
  expect(sources[0]?.imageSize).toBe(16);
  expect(sources[0]?.id).not.toBe(sources[1]?.id);
});

it("has whole patches only, where the image is no multiple of them", async () => {
  const model = join(folder, "border");
  writeTinyEncoder(model, { imageSize: 16, patchSize: 8, width: 8 });
  const vision_config = { image_size: 22, patch_size: 8, hidden_size: 8 };
  await writeFile(join(model, "config.json"), JSON.stringify({ model_type: "siglip", vision_config }));
  const source = await openTransformersSource(model);
  const features = await source.features({
    pixels: new Float32Array(16 * 16 * 3),
    shape: [1, 16, 16, 3],
  });
  expect(features.grids).toEqual([[2, 2]]);
});

it("says what a config.json leaves out", async () => {
  const model = join(folder, "short");
  writeTinyEncoder(model, { imageSize: 16, patchSize: 8, width: 8 });
  const vision_config = { model_type: "siglip_vision_model", image_size: 16 };
  await writeFile(join(model, "config.json"), JSON.stringify({ model_type: "siglip", vision_config }));
  await expect(openTransformersSource(model)).rejects.toThrow(
    "config.json: vision_config has no patch_size, hidden_size, expected numbers.",
  );
});
