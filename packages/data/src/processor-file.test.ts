import { describe, expect, it } from "vitest";

import { type ImageProcessor, squareProcessor } from "./image-processor.js";
import { parseImageProcessor } from "./processor-config.js";
import { describeImageProcessor } from "./processor-file.js";

const clip: Partial<ImageProcessor> = {
  resize: { shortestEdge: 336 },
  crop: { height: 336, width: 336 },
  mean: [0.48, 0.45, 0.4],
  std: [0.26, 0.25, 0.27],
};
const tiles = { pinpoints: [[672, 336]], size: 336 } as const;

describe("describeImageProcessor", () => {
  it.each([
    ["a square", squareProcessor(64)],
    ["CLIP's crop", squareProcessor(336, clip)],
    ["LLaVA's pad", squareProcessor(336, { ...clip, pad: true })],
    ["a padded square", squareProcessor(64, { pad: true, filter: "bilinear" })],
    ["no resizing", squareProcessor(64, { resize: null, rescale: 1 })],
    ["tiles of a square", squareProcessor(336, { tiles })],
    ["tiles of CLIP's crop", squareProcessor(336, { ...clip, tiles })],
    ["tiles of the shorter edge", squareProcessor(336, { ...clip, crop: null, tiles })],
  ])("is read back as it was: %s", (_, processor) => {
    const read = parseImageProcessor(JSON.parse(JSON.stringify(describeImageProcessor(processor))));
    expect(read).toEqual({ ...processor });
  });

  it("gives the size of tiles where nothing is cropped", () => {
    const processor = squareProcessor(336, { tiles });
    expect(describeImageProcessor(processor)).toMatchObject({
      image_processor_type: "LlavaNextImageProcessor",
      do_pad: true,
      do_center_crop: false,
      crop_size: { height: 336, width: 336 },
      image_grid_pinpoints: [[672, 336]],
    });
  });

  it.each<readonly [string, Partial<ImageProcessor>]>([
    ["another size", { tiles: { ...tiles, size: 112 } }],
    ["no resizing", { tiles, resize: null }],
  ])("refuses tiles of %s", (_, given) => {
    const describe = () => describeImageProcessor(squareProcessor(336, given));
    expect(describe).toThrowErrorMatchingSnapshot();
  });
});
