import { createHash } from "node:crypto";
import { readFileSync } from "node:fs";
import { mkdtemp, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { fileURLToPath } from "node:url";

import sharp from "sharp";
import { describe, expect, it } from "vitest";

import { readDecodeGolden, recordedFile } from "../test/decode-golden.js";
import { rejection } from "../test/rejection.js";
import { decodeImage, encodeThumbnail, readFileSize, readImageSize } from "./decode.js";
import { imageFormat } from "./image-format.js";
import { cmykToRgb, onWhite } from "./pillow-rgb.js";

const recorded = readDecodeGolden();
const file = (name: string): Uint8Array => new Uint8Array(readFileSync(recordedFile(name)));

/** Largest difference in levels. */
function distance(found: Uint8Array, expected: Uint8Array): number {
  expect(found).toHaveLength(expected.length);
  return found.reduce((most, level, i) => Math.max(most, Math.abs(level - (expected[i] as number))), 0);
}

describe("readFileSize", () => {
  it.each(recorded.cases)("reads the size of $name as it is shown", async ({ name, size }) => {
    const { width, height } = await readFileSize(fileURLToPath(recordedFile(name)), name);
    expect([width, height]).toEqual(size);
  });

  it.each(["png", "jpeg", "webp", "gif", "tiff", "avif"] as const)(
    "sees that a file has changed: %s",
    async (format) => {
      const folder = await mkdtemp(join(tmpdir(), "basic-mllm-data-"));
      const path = join(folder, `a.${format}`);
      const background = { r: 1, g: 2, b: 3 };
      for (const width of [8, 24]) {
        const picture = sharp({ create: { width, height: 5, channels: 3, background } });
        await writeFile(path, await picture.toFormat(format).toBuffer());
        expect(await readFileSize(path, path)).toEqual({ width, height: 5 });
      }
      await rm(folder, { recursive: true });
    },
  );

  it("fails as the reading of bytes does", async () => {
    const folder = await mkdtemp(join(tmpdir(), "basic-mllm-data-"));
    const path = join(folder, "a.png");
    for (const bytes of [file("gray16.png").subarray(0, 20), new Uint8Array(2000), new Uint8Array()]) {
      await writeFile(path, bytes);
      expect(await rejection(() => readFileSize(path, "a"))).toBe(
        await rejection(() => readImageSize(bytes, "a")),
      );
    }
    await writeFile(path, file("gray16.png"));
    expect(await rejection(() => readFileSize(path, "a", { pixelLimit: 1 }))).toMatch(/at most 1 pixels/);
    await rm(folder, { recursive: true });
    expect(await rejection(() => readFileSize(path, "a"))).toMatch(/there is no such file/);
  });
});

describe("decodeImage", () => {
  it.each(recorded.cases)("gives Pillow's pixels of $name", async ({ name, size, rgb }) => {
    const image = await decodeImage(file(name), name);
    expect([image.width, image.height]).toEqual(size);
    expect(distance(image.pixels, rgb)).toBe(0);
  });

  it.each(recorded.cases.filter(({ white }) => white !== undefined))(
    "lays $name on white as Pillow does",
    async ({ name, white }) => {
      const { pixels } = await decodeImage(file(name), name, { background: "white" });
      expect(distance(pixels, white as Uint8Array)).toBe(0);
    },
  );

  it("has a case for every format of a file but AVIF", () => {
    const formats = recorded.cases.map(({ name }) => imageFormat(file(name)));
    expect([...new Set(formats)].toSorted()).toEqual(["gif", "jpeg", "png", "tiff", "webp"]);
  });

  it("reads AVIF", async () => {
    const color = { r: 10, g: 200, b: 90 };
    const avif = await sharp({ create: { width: 8, height: 8, channels: 3, background: color } })
      .avif({ lossless: true })
      .toBuffer();
    const { pixels } = await decodeImage(avif, "a.avif");
    expect(
      distance(
        pixels,
        Uint8Array.from({ length: 192 }, (_, i) => [10, 200, 90][i % 3] as number),
      ),
    ).toBe(0);
  });

  it("gives the same from the middle of a larger buffer", async () => {
    const around = new Uint8Array(2000);
    const bytes = file("gray16.png");
    around.set(bytes, 3);
    const inside = await decodeImage(around.subarray(3, 3 + bytes.length), "gray16.png");
    expect(inside).toEqual(await decodeImage(bytes, "gray16.png"));
  });

  it("passes what Pillow passes: a JPEG with bytes that mean nothing", async () => {
    const jpeg = file("gray.jpg");
    const image = await decodeImage(Buffer.concat([jpeg, Buffer.from("more")]), "gray.jpg");
    expect(image).toEqual(await decodeImage(jpeg, "gray.jpg"));
  });
});

describe("decodeImage of a file that it cannot use", () => {
  const text = async (bytes: Uint8Array, options = {}): Promise<string> =>
    (await rejection(() => decodeImage(bytes, "x", options))).replace(/decoded \(.*\)/, "decoded (…)");

  it("names an empty file", async () => {
    expect(await text(new Uint8Array())).toMatchInlineSnapshot(
      `"image "x": expected a PNG, JPEG, WebP, GIF, TIFF or AVIF file, got an empty file. Replace the file, or set onImageError to "skip-and-count". [E_IMAGE]"`,
    );
  });

  it("names a file of another kind, with its first bytes", async () => {
    expect(await text(new TextEncoder().encode("BM 1234567"))).toMatchInlineSnapshot(
      `"image "x": expected a PNG, JPEG, WebP, GIF, TIFF or AVIF file, got 10 bytes that begin with 42 4d 20 31 32 33 34 35. Replace the file, or set onImageError to "skip-and-count". [E_IMAGE]"`,
    );
  });

  it.each(["rgb.png", "cmyk.jpg", "lossy.webp", "still.gif", "rgb.tif", "gray16.png", "palette_alpha.png"])(
    "names %s that is cut off",
    async (name) => {
      const bytes = file(name);
      for (const length of [12, Math.floor(bytes.length / 2), bytes.length - 30]) {
        expect(await text(bytes.subarray(0, length))).toBe(
          `image "x": expected a PNG, JPEG, WebP, GIF, TIFF or AVIF file, got ${length} bytes that cannot be decoded (…). ` +
            'Replace the file, or set onImageError to "skip-and-count". [E_IMAGE]',
        );
      }
    },
  );

  it("names the pixels of a picture that is too large, before it takes their memory", async () => {
    expect(await text(file("rgb.png"), { pixelLimit: 100 })).toMatchInlineSnapshot(
      `"image "x": expected at most 100 pixels, got 17 × 11 = 187. Make the picture smaller, raise pixelLimit where that is meant, or set onImageError to "skip-and-count". [E_IMAGE]"`,
    );
    const bomb = Buffer.from(file("rgb.png"));
    bomb.writeUInt32BE(200_000, 16);
    bomb.writeUInt32BE(200_000, 20);
    bomb.writeUInt32BE(crc32(bomb.subarray(12, 29)), 29);
    const before = process.memoryUsage().rss;
    expect(await text(bomb)).toContain("got 200000 × 200000 = 40000000000");
    expect(process.memoryUsage().rss - before).toBeLessThan(2e8);
    expect((await decodeImage(file("rgb.png"), "x", { pixelLimit: 17 * 11 })).width).toBe(17);
  });

  it("refuses drawings unless they are asked for", async () => {
    const drawing =
      '<svg xmlns="http://www.w3.org/2000/svg" width="4" height="2"><rect width="2" height="2" fill="red"/></svg>';
    const bytes = new TextEncoder().encode(`<?xml version="1.0"?>\n${drawing}`);
    expect(await text(bytes)).toMatchInlineSnapshot(
      `"image "x": expected a PNG, JPEG, WebP, GIF, TIFF or AVIF file, got an SVG drawing, which is text that may hold anything. Convert it to PNG, allow drawings with svg: true where you trust them, or set onImageError to "skip-and-count". [E_IMAGE]"`,
    );
    const { pixels, width } = await decodeImage(bytes, "x", { svg: true, background: "white" });
    expect([width, ...pixels.subarray(0, 12)]).toEqual([
      4, 255, 0, 0, 255, 0, 0, 255, 255, 255, 255, 255, 255,
    ]);
  });

  it("holds thumbnails to the same", async () => {
    expect(await rejection(() => encodeThumbnail(new Uint8Array(), "x", 8))).toContain("an empty file");
    expect(await encodeThumbnail(file("rgb.png"), "x", 8)).toMatch(/^data:image\/webp;base64,/);
  });
});

/** Of a PNG's chunk. */
function crc32(bytes: Uint8Array): number {
  let crc = 0xffffffff;
  for (const byte of bytes) {
    crc ^= byte;
    for (let bit = 0; bit < 8; bit++) crc = (crc >>> 1) ^ (crc & 1 ? 0xedb88320 : 0);
  }
  return (crc ^ 0xffffffff) >>> 0;
}

describe("Pillow's arithmetic", () => {
  /** Every level beside every other value: the level three times, then the value. */
  const pairs = Uint8Array.from({ length: 256 * 256 * 4 }, (_, i) =>
    i % 4 === 3 ? i >> 10 : (i >> 2) & 255,
  );
  const sha256 = (bytes: Uint8Array): string => createHash("sha256").update(bytes).digest("hex");

  it("is that of transparency on white, for all levels and all alphas", () => {
    expect(sha256(onWhite(pairs))).toBe(recorded.tables.white);
  });

  it("is that of ink, for all levels and all keys", () => {
    expect(sha256(cmykToRgb(pairs))).toBe(recorded.tables.cmyk);
  });
});
