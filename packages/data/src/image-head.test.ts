import { readFileSync } from "node:fs";

import fc from "fast-check";
import sharp from "sharp";
import { describe, expect, it } from "vitest";

import { recordedFile } from "../test/decode-golden.js";
import { imageFormat } from "./image-format.js";
import { sizeInHead } from "./image-head.js";

const names = [
  "rgb.png",
  "cmyk.jpg",
  "progressive.jpg",
  "lossless.webp",
  "lossless_alpha.webp",
  "lossy.webp",
];
const more = ["moving.webp", "still.gif", "moving.gif", "turned_6.png"];

function open(name: string): Uint8Array {
  return new Uint8Array(readFileSync(recordedFile(name)));
}

function sizeOf(bytes: Uint8Array) {
  return sizeInHead(bytes, imageFormat(bytes) ?? "svg");
}

describe("sizeInHead", () => {
  it.each([...names, ...more])("finds that of %s", (name) => {
    expect(sizeOf(open(name))).toEqual({ width: 17, height: 11 });
  });

  it("finds that of AVIF", async () => {
    const picture = sharp({ create: { width: 40, height: 24, channels: 4, background: "#80808080" } });
    expect(sizeOf(await picture.avif({ effort: 0 }).toBuffer())).toEqual({ width: 40, height: 24 });
  });

  it("finds none in TIFF and SVG", () => {
    expect(sizeOf(open("rgb.tif"))).toBeNull();
    expect(sizeOf(new TextEncoder().encode("<svg width='4' height='2'/>"))).toBeNull();
  });

  it("gives a size or none for any bytes behind a magic number", () => {
    const heads = [...names, "still.gif"].map((name) => open(name).subarray(0, 16));
    fc.assert(
      fc.property(fc.constantFrom(...heads), fc.uint8Array({ maxLength: 80 }), (head, rest) => {
        const size = sizeOf(Uint8Array.from([...head, ...rest]));
        return size === null || (size.width >= 0 && size.height >= 0);
      }),
    );
  });
});
