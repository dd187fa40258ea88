import { afterAll, beforeAll, expect, it } from "vitest";

import { pictureFolder } from "../test/fixture.js";
import { rejection } from "../test/rejection.js";
import { readImageSizes } from "./dataset.js";
import { squareProcessor } from "./image-processor.js";
import { createPixelStore } from "./pixel-store.js";

let folder = "";
let remove = async (): Promise<void> => undefined;

beforeAll(async () => {
  ({ folder, remove } = await pictureFolder({ "a.png": [10, 20, 30] }));
});
afterAll(() => remove());

it("says how pictures are cut before they are read, from their sizes", async () => {
  const processor = squareProcessor(4, { tiles: { pinpoints: [[4, 8]], size: 4 } });
  const sizes = await readImageSizes(folder, ["a.png"]);
  const options = { imageRoot: folder, processor, shape: { rows: 1, grid: [1, 1] as const } };
  const store = createPixelStore({ ...options, sizes });
  expect(store.shape("a.png")).toEqual({
    rows: 1,
    grid: [1, 1],
    tiles: { grid: [1, 2], original: { height: 4, width: 4 } },
  });
  expect(await store.read(["a.png", "a.png"])).toMatchObject({ shape: [6, 4, 4, 3] });
  expect(await rejection(() => createPixelStore(options).shape("a.png"))).toMatchInlineSnapshot(
    `"image "a.png": how it is cut into tiles follows from its size, which was not given. Pass \`sizes\` of all images (readImageSizes) to createPixelStore. [E_CONFIG]"`,
  );
});

it("names a picture whose size cannot be read", async () => {
  const { writeFile } = await import("node:fs/promises");
  await writeFile(`${folder}/b.png`, "");
  expect(
    (await rejection(() => readImageSizes(folder, ["b.png"]))).replaceAll(folder, "…"),
  ).toMatchInlineSnapshot(
    `"image "…/b.png": expected a PNG, JPEG, WebP, GIF, TIFF or AVIF file, got an empty file. Replace the file, or set onImageError to "skip-and-count". [E_IMAGE]"`,
  );
});
