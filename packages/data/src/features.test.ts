import { open, readdir, rm, stat, truncate, writeFile } from "node:fs/promises";
import { join } from "node:path";
import sharp from "sharp";
import { afterEach, beforeEach, describe, expect, it, vi } from "vitest";

import { patchMeans, pictureFolder } from "../test/fixture.js";
import { rejection } from "../test/rejection.js";
import { cacheFeatures } from "./features.js";
import { squareProcessor } from "./image-processor.js";
import { standardised } from "./visual-store.js";

const processor = squareProcessor(4, { mean: [0, 0, 0], std: [1, 1, 1] });
let root = "";
let remove = async (): Promise<void> => {};

beforeEach(async () => {
  const made = await pictureFolder({
    "red.png": [255, 0, 0],
    "a/green.png": [0, 255, 0],
    "dark.png": [51, 51, 0],
  });
  root = made.folder;
  remove = made.remove;
});
afterEach(() => remove());

function options(source = patchMeans()) {
  const images = ["red.png", "a/green.png", "dark.png"];
  return {
    source,
    processor,
    imageRoot: root,
    images,
    folder: join(root, "cache"),
    storage: "float32" as const,
  };
}

describe("cacheFeatures", () => {
  it("computes the features of an image once", async () => {
    const first = patchMeans();
    const table = await cacheFeatures(options(first));
    expect([table.computed, first.seen.images]).toEqual([3, 3]);
    const again = patchMeans();
    const found = await cacheFeatures(options(again));
    expect([found.computed, again.seen.images]).toEqual([0, 0]);
    expect(await found.read(["dark.png"])).toEqual(await table.read(["dark.png"]));
  });

  it("says by how much reading would make it grow, and grows by that once", async () => {
    await cacheFeatures(options());
    const table = await cacheFeatures(options());
    const { values } = await table.read(["red.png"]);
    const bytes = values.byteLength;
    expect(table.growth(["red.png"])).toBe(0);
    expect(table.growth(["dark.png", "red.png", "dark.png", "a/green.png"])).toBe(2 * bytes);
    const { mean, std } = { mean: new Float32Array(table.width), std: new Float32Array(table.width) };
    const wrapped = standardised(table, { mean, std });
    await wrapped.read(["dark.png"]);
    expect(wrapped.growth?.(["dark.png", "red.png", "a/green.png"])).toBe(bytes);
    const { growth: _, ...keepsNothing } = table;
    expect(standardised(keepsNothing, { mean, std }).growth?.(["a/green.png"])).toBe(0);
  });

  it("stops between two batches when it is aborted, and what is on disk stays valid", async () => {
    const controller = new AbortController();
    const many = Array.from({ length: 300 }, (_, i) => `${"./".repeat(i)}red.png`);
    const whole = patchMeans();
    await cacheFeatures({ ...options(whole), images: many.slice(0, 256) });
    const source = patchMeans();
    const aborting = {
      ...source,
      features: (pixels: Parameters<typeof source.features>[0]) => {
        controller.abort();
        return source.features(pixels);
      },
    };
    const stopped = { ...options(), source: aborting, images: many, signal: controller.signal };
    expect(await rejection(() => cacheFeatures(stopped))).toBe(
      "Stopped while features were computed. Those that are on disk are kept: start again to go on. [E_INTERRUPTED]",
    );
    expect(source.seen.images).toBe(32);
    const seen: (readonly number[])[] = [];
    const onProgress = (...numbers: readonly number[]): number => seen.push(numbers);
    expect((await cacheFeatures({ ...options(), images: many, onProgress })).computed).toBe(44);
    expect(seen).toEqual([
      [256, 300, 0],
      [300, 300, 44],
    ]);
  });

  it("reads rows in the order asked for, images more than once", async () => {
    const table = await cacheFeatures(options());
    const { values, offsets, grids, width } = await table.read(["a/green.png", "red.png", "a/green.png"]);
    expect([...offsets]).toEqual([0, 4, 8, 12]);
    expect([...values]).toEqual([0, 1, 0, 2, 0, 3, 0, 4, 1, 0, 1, 1, 1, 2, 1, 3, 0, 1, 0, 2, 0, 3, 0, 4]);
    expect([width, grids[0], table.shape("red.png")]).toEqual([2, [2, 2], { rows: 4, grid: [2, 2] }]);
  });

  it("computes again for another encoder and for another picture under the same name", async () => {
    await cacheFeatures(options());
    expect((await cacheFeatures(options(patchMeans("other")))).computed).toBe(3);
    const { folder, remove: removeOther } = await pictureFolder({ "x.png": [9, 9, 9] });
    await writeFile(
      join(root, "red.png"),
      await import("node:fs/promises").then((fs) => fs.readFile(join(folder, "x.png"))),
    );
    await removeOther();
    expect((await cacheFeatures(options())).computed).toBe(3);
  });

  it("stores half floats within their precision", async () => {
    const table = await cacheFeatures({ ...options(), storage: "float16" });
    expect([...(await table.read(["dark.png"])).values][0]).toBeCloseTo(0.2, 3);
  });

  it("computes again what was cut off on disk or has a damaged header", async () => {
    const whole = await cacheFeatures(options());
    const values = await whole.read(["dark.png"]);
    const file = await onlyShard();
    for (const length of [(await stat(file)).size - 4, 10]) {
      await truncate(file, length);
      const again = await cacheFeatures(options());
      expect(again.computed).toBe(3);
      expect(await again.read(["dark.png"])).toEqual(values);
    }
    for (const header of ["{ no header", "null", "{}", '{"width":2,"images":[null]}']) {
      await writeFile(file, `${header}\n`);
      expect((await cacheFeatures(options())).computed).toBe(3);
    }
  });

  it("keeps what it computed, and does not read it again", async () => {
    const table = await cacheFeatures(options());
    const found = await (await cacheFeatures(options())).read(["dark.png"]);
    await truncate(await onlyShard(), 0);
    expect(await table.read(["dark.png"])).toEqual(found);
  });

  it("says that a file was cut off while it was in use", async () => {
    await cacheFeatures(options());
    const table = await cacheFeatures(options());
    const file = await onlyShard();
    await truncate(file, (await stat(file)).size - 4);
    expect((await rejection(() => table.read(["dark.png"]))).replace(file, "FILE")).toMatchInlineSnapshot(
      `"features in FILE: expected 32 bytes from byte 159 on, got 28. The file was cut off while it was in use. Start again: its features are then computed again. [E_DATA_FORMAT]"`,
    );
  });

  it("says that a file was removed while it was in use", async () => {
    await cacheFeatures(options());
    const table = await cacheFeatures(options());
    const file = await onlyShard();
    await rm(file);
    expect((await rejection(() => table.read(["dark.png"]))).replace(file, "FILE")).toMatchInlineSnapshot(
      `"features in FILE: the file cannot be opened any more. Start again: its features are then computed again. [E_DATA_FORMAT]"`,
    );
  });

  it("says that the disk is full, and leaves no part of a file", async () => {
    const full = Object.assign(new Error("ENOSPC: no space left on device, write"), { code: "ENOSPC" });
    const handle = await open(join(root, "red.png"), "r");
    const sync = vi.spyOn(Object.getPrototypeOf(handle), "sync").mockRejectedValueOnce(full);
    await handle.close();
    const text = await rejection(() => cacheFeatures(options()));
    sync.mockRestore();
    expect(text.replace(/\S+\.bin/, "FILE")).toMatchInlineSnapshot(
      `"features could not be written to FILE: the disk is full. Make space and start again: features that are there already are not computed again. [E_DISK_FULL]"`,
    );
    const left = await readdir(join(root, "cache"), { recursive: true });
    expect(left.filter((name) => name.includes("."))).toEqual([]);
  });

  async function onlyShard(): Promise<string> {
    const names = await readdir(join(root, "cache"), { recursive: true });
    return join(root, "cache", names.find((name) => name.endsWith(".bin")) ?? "");
  }

  it("leaves no temporary file behind", async () => {
    await cacheFeatures(options());
    const files = (await readdir(join(root, "cache"), { recursive: true })).filter((name) =>
      name.includes("."),
    );
    expect(files.every((name) => name.endsWith(".bin"))).toBe(true);
  });

  it("gives mean 0 and deviation 1 after standardising", async () => {
    const table = await cacheFeatures(options());
    const store = standardised(table, await table.statistics());
    const read = await store.read(["red.png", "a/green.png", "dark.png"]);
    const red = "values" in read ? [...read.values].filter((_, i) => i % 2 === 0) : [];
    expect(red.reduce((sum, value) => sum + value, 0)).toBeCloseTo(0, 5);
    expect(red.reduce((sum, value) => sum + value ** 2, 0) / red.length).toBeCloseTo(1, 5);
  });

  it("names a broken picture, or skips and counts it, now and from the cache", async () => {
    await writeFile(join(root, "dark.png"), "not a picture");
    const text = (await rejection(() => cacheFeatures(options()))).replace(/\(.*\)/, "(…)");
    expect(text).toMatchInlineSnapshot(
      `"image "dark.png": expected a PNG, JPEG, WebP, GIF, TIFF or AVIF file, got 13 bytes that begin with 6e 6f 74 20 61 20 70 69. Replace the file, or set onImageError to "skip-and-count". [E_IMAGE]"`,
    );
    for (const _ of ["computed", "found"]) {
      const table = await cacheFeatures({ ...options(), onImageError: "skip-and-count" });
      expect([...table.broken.keys()]).toEqual(["dark.png"]);
      expect((await table.read(["red.png"])).values).toHaveLength(8);
    }
    expect((await rejection(() => cacheFeatures(options()))).replace(/\(.*\)/, "(…)")).toBe(text);
  });

  it("keeps the features of all tiles of a picture, as many as it has", async () => {
    const wide = await sharp({ create: { width: 8, height: 4, channels: 3, background: "#ff0000" } })
      .png()
      .toBuffer();
    await writeFile(join(root, "wide.png"), wide);
    const pinpoints = [
      [4, 4],
      [4, 8],
    ] as const;
    const cut = { ...processor, tiles: { pinpoints, size: 4 } };
    const images = ["red.png", "wide.png", "a/green.png"];
    const source = patchMeans();
    const table = await cacheFeatures({ ...options(source), processor: cut, images });
    expect(source.seen.images).toBe(2 + 3 + 2);
    expect(table.shape("red.png")).toMatchObject({ rows: 4, grid: [2, 2], tiles: { grid: [1, 1] } });
    expect(table.shape("wide.png")).toEqual({
      rows: 4,
      grid: [2, 2],
      tiles: { grid: [1, 2], original: { height: 4, width: 8 } },
    });
    const read = await table.read(["a/green.png", "wide.png"]);
    expect([...read.offsets]).toEqual([0, 4, 8, 12, 16, 20]);
    expect(read.grids).toHaveLength(5);
    expect([read.values[0], read.values[16]]).toEqual([0, 1]);
    const found = await cacheFeatures({ ...options(), processor: cut, images });
    expect(found.computed).toBe(0);
    expect(await found.read(["a/green.png", "wide.png"])).toEqual(read);
    expect((await table.statistics(["wide.png"])).mean[0]).toBe(1);
  });

  it("counts a picture of too many pixels as broken", async () => {
    const decode = { pixelLimit: 15 };
    const limited = { ...options(), processor: { ...processor, decode } };
    expect(await rejection(() => cacheFeatures(limited))).toContain("at most 15 pixels, got 4 × 4 = 16.");
    const table = await cacheFeatures({ ...limited, onImageError: "skip-and-count" });
    expect(table.broken.size).toBe(3);
  });

  it("names a missing picture", async () => {
    const missing = { ...options(), images: ["red.png", "blue.png"] };
    expect((await rejection(() => cacheFeatures(missing))).replaceAll(root, "…")).toMatchInlineSnapshot(
      `"image "…/blue.png": there is no such file. Correct the image folder or the record, or set onImageError to "skip-and-count". [E_IMAGE]"`,
    );
  });
});
