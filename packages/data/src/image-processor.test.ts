import { describe, expect, it } from "vitest";

import { rejection } from "../test/rejection.js";
import { fitImage, squareProcessor, toImageBatch } from "./image-processor.js";

const image = { pixels: Uint8Array.from([0, 128, 255, 10, 20, 30]), width: 2, height: 1 };

describe("fitImage", () => {
  it("passes an image that has the size already", () => {
    const fitted = fitImage(image, squareProcessor(2, { resize: { height: 1, width: 2 } }));
    expect(fitted.pixels).toEqual(image.pixels);
  });

  it("pads to a square of the mean colour", () => {
    const processor = squareProcessor(2, { pad: true, resize: null, mean: [0.2, 0.4, 0.6] });
    const fitted = fitImage(image, processor);
    expect([...fitted.pixels]).toEqual([0, 128, 255, 10, 20, 30, 51, 102, 153, 51, 102, 153]);
  });

  it("crops the middle and fills with black where the image is smaller", () => {
    const processor = squareProcessor(2, { resize: null, crop: { height: 3, width: 1 } });
    expect([...fitImage(image, processor).pixels]).toEqual([0, 0, 0, 0, 128, 255, 0, 0, 0]);
  });
});

describe("fitImage of a processor with tiles", () => {
  it("is refused", async () => {
    const processor = squareProcessor(2, { tiles: { pinpoints: [[2, 2]], size: 2 } });
    expect(await rejection(() => fitImage(image, processor))).toMatchInlineSnapshot(
      `"fitImage: expected a processor that makes one image of a picture, got one that cuts it into tiles (anyres). Call fitTiles, or read the processor with { imageAspectRatio: "pad" } or "square". [E_CONFIG]"`,
    );
  });
});

describe("toImageBatch", () => {
  it("normalises to −1 … 1 under mean and deviation one half", () => {
    const batch = toImageBatch([image, image], squareProcessor(2));
    expect(batch.shape).toEqual([2, 1, 2, 3]);
    expect([...batch.pixels.subarray(0, 3)].map((value) => value.toFixed(3))).toEqual([
      "-1.000",
      "0.004",
      "1.000",
    ]);
  });

  it("refuses images of two sizes", async () => {
    const other = { pixels: new Uint8Array(3), width: 1, height: 1 };
    expect(await rejection(() => toImageBatch([image, other], squareProcessor(2)))).toMatchInlineSnapshot(
      `"images: expected all of one batch to be 1 × 2, got 1 × 1. Use a processor that resizes to a fixed size or crops. [E_SHAPE]"`,
    );
  });
});
