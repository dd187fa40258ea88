import { mkdtemp, readdir, readFile, rm, writeFile } from "node:fs/promises";
import { homedir, tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, beforeAll, describe, expect, it, vi } from "vitest";

import { plainSheet } from "../test/sheet.js";
import { readSheet, writeSheet } from "./sheet-file.js";
import { SPRITE_CELL, type SpriteSheet, spriteOffset } from "./sprite-sheet.js";
import { defaultCacheFolder, loadSprites } from "./sprites.js";
import { STYLES } from "./styles.js";

let folder = "";
let sheet: SpriteSheet;
const labels = ["lion", "package", "pear"];

beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), "basic-mllm-test-"));
  sheet = await loadSprites({ cacheFolder: folder, labels });
});
afterAll(() => rm(folder, { recursive: true, force: true }));

/** Share of a cell that is covered at all. */
function covered(offset: number): number {
  let count = 0;
  for (let i = 0; i < SPRITE_CELL * SPRITE_CELL; i++)
    count += (sheet.pixels[offset + i * 4 + 3] ?? 0) > 0 ? 1 : 0;
  return count / SPRITE_CELL ** 2;
}

describe("loadSprites", () => {
  it("leaves out the picture that ends the drawing process, and goes on after it", () => {
    expect(sheet.concepts.map(({ name }) => name).toSorted()).toEqual(["lion", "pear"]);
  });

  it("draws every team at every size, larger ones covering more", () => {
    for (const style of STYLES) {
      const [small, , large] = [0, 1, 2].map((size) => covered(spriteOffset(0, style, size)));
      expect(small).toBeGreaterThan(0.1);
      expect(large).toBeGreaterThan(small as number);
    }
  });

  it("premultiplies the colours", () => {
    for (let i = 0; i < sheet.pixels.length; i += 4) {
      const alpha = sheet.pixels[i + 3] as number;
      if ((sheet.pixels[i] as number) > alpha) throw new Error(`pixel ${i / 4} is brighter than its alpha`);
    }
  });

  it("reads the same sheet from its cache file", async () => {
    expectSame(await loadSprites({ cacheFolder: folder, labels }), sheet);
    expect(await readdir(folder)).toHaveLength(1);
  });
});

describe("an aborted signal", () => {
  it("ends the drawing process and leaves no sheet", async () => {
    const controller = new AbortController();
    const cacheFolder = join(folder, "stopped");
    const loading = loadSprites({
      cacheFolder,
      labels,
      signal: controller.signal,
      onProgress: () => controller.abort(),
    });
    await expect(loading).rejects.toThrow(
      "Stopped while the drawings were made. Start again to make them. [E_INTERRUPTED]",
    );
    await expect(readdir(cacheFolder)).rejects.toThrow("ENOENT");
  });
});

describe("readSheet", () => {
  it("gives back what was written, and nothing where the file is cut or missing", async () => {
    const path = join(folder, "sheet.bin");
    const written = plainSheet();
    await writeSheet(path, written);
    expectSame(await readSheet(path), written);
    const bytes = await readFile(path);
    for (const length of [bytes.length - 1, 30, 5, 0]) {
      await writeFile(path, bytes.subarray(0, length));
      expect(await readSheet(path)).toBeNull();
    }
    expect(await readSheet(join(folder, "none.bin"))).toBeNull();
    await rm(path);
  });
});

/** Byte by byte: the general comparison takes seconds on arrays of this size. */
function expectSame(found: SpriteSheet | null, expected: SpriteSheet): void {
  expect(found?.concepts).toEqual(expected.concepts);
  expect(Buffer.from(expected.pixels).equals(found?.pixels ?? new Uint8Array())).toBe(true);
}

describe("defaultCacheFolder", () => {
  it("is the chosen folder, else in the user's cache folder; an empty variable is none", () => {
    const folderWith = (chosen: string, caches: string): string => {
      vi.stubEnv("BASIC_MLLM_CACHE", chosen);
      vi.stubEnv("XDG_CACHE_HOME", caches);
      const found = defaultCacheFolder();
      vi.unstubAllEnvs();
      return found;
    };
    expect(folderWith("/chosen", "/caches")).toBe("/chosen");
    expect(folderWith("", "/caches")).toBe(join("/caches", "basic-mllm"));
    expect(folderWith("", "")).toBe(join(homedir(), ".cache", "basic-mllm"));
  });
});
