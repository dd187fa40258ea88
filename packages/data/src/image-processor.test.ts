import { describe, expect, it } from "vitest";

import { rejection } from "../test/rejection.js";
import { fitImage, parseImageProcessor, squareProcessor, toImageBatch } from "./image-processor.js";

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

describe("parseImageProcessor", () => {
  it("names the field that it cannot use", async () => {
    const config = { size: { shortest_edge: 8 }, image_mean: [0.5], image_std: [1, 1, 1] };
    expect(await rejection(() => parseImageProcessor(config))).toMatchInlineSnapshot(
      `"preprocessor_config.json: \`image_mean\` must be three numbers, got [0.5]. Use the file that belongs to the encoder. [E_CONFIG]"`,
    );
    expect(await rejection(() => parseImageProcessor({ resample: 1 }))).toMatchInlineSnapshot(
      `"preprocessor_config.json: \`resample\` must be 2 (bilinear) or 3 (bicubic), got 1. Use the file that belongs to the encoder. [E_CONFIG]"`,
    );
  });
});
