import { readFile, writeFile } from "node:fs/promises";
import { join } from "node:path";

import { afterAll, beforeAll, expect, it } from "vitest";

import { patchMeans, pictureFolder } from "../test/fixture.js";
import { rejection } from "../test/rejection.js";
import { workerProgram } from "../test/worker-program.js";
import { cacheFeatures } from "./features.js";
import { createImagePool, type ImagePool } from "./image-pool.js";
import { squareProcessor } from "./image-processor.js";
import { createPixelStore } from "./pixel-store.js";
import type { RgbImage } from "./resample.js";

const processor = squareProcessor(8);
const shape = { rows: 1, grid: null };

let folder = "";
let remove = async (): Promise<void> => undefined;
let worker: Awaited<ReturnType<typeof workerProgram>>;
let pool: ImagePool;

beforeAll(async () => {
  worker = await workerProgram();
  const made = await pictureFolder({ "a.png": [10, 20, 30], "b.png": [200, 100, 50] });
  ({ folder, remove } = made);
  await writeFile(join(folder, "broken.png"), "no picture");
  pool = createImagePool({ threads: 2, program: worker.program });
});
afterAll(async () => {
  await pool.close();
  await remove();
  await worker.remove();
});

it("gives the pixels that the main thread gives, in order", async () => {
  const names = ["b.png", "a.png", "b.png", "a.png", "a.png"];
  const options = { imageRoot: folder, processor, shape };
  const own = await createPixelStore(options).read(names);
  expect(await createPixelStore({ ...options, pool }).read(names)).toEqual(own);
});

it("gives all tiles of a picture that is cut", async () => {
  const cut = squareProcessor(4, { tiles: { pinpoints: [[4, 4]], size: 4 } });
  const options = { imageRoot: folder, processor: cut, shape, sizes: new Map() };
  const own = await createPixelStore(options).read(["a.png", "b.png"]);
  expect(own).toMatchObject({ shape: [4, 4, 4, 3] });
  expect(await createPixelStore({ ...options, pool }).read(["a.png", "b.png"])).toEqual(own);
});

it("takes bytes as well as files", async () => {
  const content = await readFile(join(folder, "a.png"));
  const { images } = await pool.open({ name: "a", content: new Uint8Array(content), processor });
  const { width, height, pixels } = images[0] as RgbImage;
  expect([width, height, ...pixels.subarray(0, 3)]).toEqual([8, 8, 10, 20, 30]);
});

it("sends no more of an archive than the one image", async () => {
  const file = await readFile(join(folder, "a.png"));
  const archive = new Uint8Array(1000 + file.length + 1000);
  archive.set(file, 1000);
  const content = archive.subarray(1000, 1000 + file.length);
  const { images } = await pool.open({ name: "a", content, processor });
  expect([...(images[0] as RgbImage).pixels.subarray(0, 3)]).toEqual([10, 20, 30]);
  expect(archive.byteLength).toBe(2000 + file.length);
});

it("gives features as the main thread does, and the same reasons for broken images", async () => {
  const images = ["a.png", "broken.png", "b.png", "none.png"];
  const options = { processor, imageRoot: folder, images, onImageError: "skip-and-count" as const };
  const tables = [{}, { pool }].map(async (threads, i) => {
    const table = await cacheFeatures({
      ...options,
      ...threads,
      source: patchMeans(),
      folder: join(folder, `cache-${i}`),
    });
    return { broken: table.broken, rows: await table.read(["b.png", "a.png"]) };
  });
  const [own, threaded] = await Promise.all(tables);
  expect(own?.broken.size).toBe(2);
  expect(threaded).toEqual(own);
});

it("names the image that a thread cannot open, and goes on", async () => {
  const store = createPixelStore({ imageRoot: folder, processor, shape, pool });
  expect((await rejection(() => store.read(["broken.png"]))).replaceAll(folder, "…")).toMatch(
    /^image "…\/broken\.png": expected a PNG, .* \[E_IMAGE\]$/,
  );
  expect((await rejection(() => store.read(["none.png"]))).replaceAll(folder, "…")).toMatch(
    /^image "…\/none\.png": there is no such file\. .* \[E_IMAGE\]$/,
  );
  expect(await store.read(["a.png"])).toMatchObject({ shape: [1, 8, 8, 3] });
});

it("refuses images after it was closed, and a number of threads that is none", async () => {
  const other = createImagePool({ program: worker.program });
  const waiting = rejection(() => other.open({ name: "a.png", content: join(folder, "a.png"), processor }));
  await other.close();
  expect(await waiting).toMatchInlineSnapshot(
    `"image "a.png": the threads that open images were stopped before it. [E_INTERRUPTED]"`,
  );
  expect(await rejection(() => createImagePool({ threads: 0 }))).toMatchInlineSnapshot(
    `"image pool: expected at least 1 thread, got 0. Leave the pool out to decode on the main thread. [E_CONFIG]"`,
  );
});
