import fc from "fast-check";
import { describe, expect, it } from "vitest";

import { rejection } from "../test/rejection.js";
import { cutRegion, type Filter, type RgbImage, resizeImage } from "./resample.js";

const FILTERS: readonly Filter[] = ["nearest", "box", "bilinear", "hamming", "bicubic", "lanczos"];
const side = fc.integer({ min: 1, max: 40 });
const filter = fc.constantFrom(...FILTERS);

/** Any picture of any size. */
const picture: fc.Arbitrary<RgbImage> = fc
  .tuple(side, side)
  .chain(([width, height]) =>
    fc
      .uint8Array({ minLength: width * height * 3, maxLength: width * height * 3 })
      .map((pixels) => ({ pixels, width, height })),
  );

describe("resizeImage", () => {
  it("computes a region as the whole, cut afterwards", () => {
    const share = fc.double({ min: 0, max: 1, noNaN: true });
    fc.assert(
      fc.property(
        fc.tuple(picture, side, side, filter, fc.tuple(share, share, share, share)),
        ([image, width, height, name, [x, y, w, h]]) => {
          const left = Math.floor(x * (width - 1));
          const top = Math.floor(y * (height - 1));
          const region = {
            left,
            top,
            width: 1 + Math.floor(w * (width - left - 1)),
            height: 1 + Math.floor(h * (height - top - 1)),
          };
          const whole = resizeImage(image, { width, height, filter: name });
          const part = resizeImage(image, { width, height, filter: name, region });
          expect(part).toEqual(cutRegion(whole, region));
        },
      ),
    );
  });

  it("keeps one colour as it is, up and down", () => {
    const colour = fc.tuple(fc.nat(255), fc.nat(255), fc.nat(255));
    fc.assert(
      fc.property(fc.tuple(colour, side, side, side, side, filter), ([rgb, width, height, w, h, name]) => {
        const image = {
          pixels: Uint8Array.from(
            Array(width * height)
              .fill(rgb)
              .flat(),
          ),
          width,
          height,
        };
        const resized = resizeImage(image, { width: w, height: h, filter: name });
        expect([...new Set(resized.pixels.map((value, i) => value - (rgb[i % 3] ?? 0)))]).toEqual([0]);
      }),
    );
  });

  it("passes an image of the size already", () => {
    const image = { pixels: Uint8Array.of(1, 2, 3), width: 1, height: 1 };
    expect(resizeImage(image, { width: 1, height: 1, filter: "lanczos" })).toBe(image);
  });

  it.each([
    ["size", { width: 0, height: 1 }],
    ["fraction", { width: 1.5, height: 1 }],
    ["region", { width: 2, height: 2, region: { left: 1, top: 0, width: 2, height: 2 } }],
  ])("refuses a wrong %s", async (_, sizes) => {
    const image = { pixels: Uint8Array.of(1, 2, 3), width: 1, height: 1 };
    expect(await rejection(() => resizeImage(image, { ...sizes, filter: "box" }))).toMatchSnapshot();
  });

  it("refuses pixels that do not fill the image", async () => {
    const image = { pixels: Uint8Array.of(1, 2, 3), width: 2, height: 1 };
    expect(await rejection(() => resizeImage(image, { width: 4, height: 4, filter: "bicubic" }))).toContain(
      "got 3 bytes for 2 × 1 pixels",
    );
  });
});
