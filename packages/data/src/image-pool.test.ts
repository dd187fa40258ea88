import { writeFile } from "node:fs/promises";
import { join } from "node:path";
import { fileURLToPath } from "node:url";

import { build } from "esbuild";
import { afterAll, beforeAll, expect, it } from "vitest";

import { pictureFolder } from "../test/fixture.js";
import { rejection } from "../test/rejection.js";
import { createImagePool, type ImagePool } from "./image-pool.js";
import { squareProcessor } from "./image-processor.js";
import { createPixelStore } from "./pixel-store.js";
import type { RgbImage } from "./resample.js";

// Threads run JavaScript: the program is bundled where its packages are found.
const PROGRAM = new URL("../../../node_modules/.cache/basic-mllm/image-worker.mjs", import.meta.url);
const processor = squareProcessor(8);
const shape = { rows: 1, grid: null };

let folder = "";
let remove = async (): Promise<void> => undefined;
let pool: ImagePool;

beforeAll(async () => {
  await build({
    entryPoints: [fileURLToPath(new URL("./image-worker.ts", import.meta.url))],
    outfile: fileURLToPath(PROGRAM),
    bundle: true,
    format: "esm",
    platform: "node",
    target: "node20",
    conditions: ["@basic-mllm/source"],
    external: ["sharp", "piscina", "@tensorflow/*", "@huggingface/*", "zod"],
    logLevel: "error",
  });
  const made = await pictureFolder({ "a.png": [10, 20, 30], "b.png": [200, 100, 50] });
  ({ folder, remove } = made);
  await writeFile(join(folder, "broken.png"), "no picture");
  pool = createImagePool({ threads: 2, program: PROGRAM });
});
afterAll(async () => {
  await pool.close();
  await remove();
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
  const { readFile } = await import("node:fs/promises");
  const content = await readFile(join(folder, "a.png"));
  const { images } = await pool.open({ name: "a", content: new Uint8Array(content), processor });
  const { width, height, pixels } = images[0] as RgbImage;
  expect([width, height, ...pixels.subarray(0, 3)]).toEqual([8, 8, 10, 20, 30]);
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
  const other = createImagePool({ program: PROGRAM });
  const waiting = rejection(() => other.open({ name: "a.png", content: join(folder, "a.png"), processor }));
  await other.close();
  expect(await waiting).toMatchInlineSnapshot(
    `"image "a.png": the threads that open images were stopped before it. [E_INTERRUPTED]"`,
  );
  expect(await rejection(() => createImagePool({ threads: 0 }))).toMatchInlineSnapshot(
    `"image pool: expected at least 1 thread, got 0. Leave the pool out to decode on the main thread. [E_CONFIG]"`,
  );
});
