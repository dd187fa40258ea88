import { parseImageProcessor } from "@basic-mllm/data";
import { expect, it } from "vitest";

import { imaginedPictures } from "./imagined-pictures.js";

const file = { image_processor_type: "SiglipImageProcessor", size: { height: 32, width: 32 } };
const shape = { rows: 4, grid: [2, 2] as const };

it("has the rows of every picture, without opening one", async () => {
  const processor = parseImageProcessor(file, {});
  const store = imaginedPictures({ imageRoot: "nowhere", processor, shape, width: 3 });
  expect(store.shape("a.png")).toEqual(shape);
  expect(await store.read(["a.png", "b.png", "a.png"])).toEqual({
    values: new Float32Array(3 * 4 * 3),
    width: 3,
    offsets: Int32Array.of(0, 4, 8, 12),
    grids: [shape.grid, shape.grid, shape.grid],
  });
});

it("counts the tiles of pictures that are cut", async () => {
  const processor = parseImageProcessor(file, { imageAspectRatio: "anyres", gridPinpoints: [[32, 64]] });
  const sizes = new Map([["wide.png", { height: 10, width: 20 }]]);
  const store = imaginedPictures({ imageRoot: "nowhere", processor, shape, sizes, width: 1 });
  const { offsets } = (await store.read(["wide.png"])) as { readonly offsets: Int32Array };
  expect(offsets).toEqual(Int32Array.of(0, 4, 8, 12));
});

it("has pixels where an encoder takes them", async () => {
  const processor = parseImageProcessor(file, {});
  const store = imaginedPictures({ imageRoot: "nowhere", processor, shape, imageSize: 32 });
  expect(await store.read(["a.png", "b.png"])).toEqual({
    pixels: new Float32Array(2 * 32 * 32 * 3),
    shape: [2, 32, 32, 3],
  });
});
