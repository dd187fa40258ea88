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

describe("describeImageProcessor", () => {
  it.each([
    ["a square", squareProcessor(64)],
    ["CLIP's crop", squareProcessor(336, clip)],
    ["LLaVA's pad", squareProcessor(336, { ...clip, pad: true })],
    ["a padded square", squareProcessor(64, { pad: true, filter: "bilinear" })],
    ["no resizing", squareProcessor(64, { resize: null, rescale: 1 })],
  ])("is read back as it was: %s", (_, processor) => {
    const read = parseImageProcessor(JSON.parse(JSON.stringify(describeImageProcessor(processor))));
    expect(read).toEqual({ ...processor });
  });

  it("refuses tiles", () => {
    const tiles = { pinpoints: [[672, 672]], size: 336 } as const;
    expect(() => describeImageProcessor(squareProcessor(336, { tiles }))).toThrowErrorMatchingInlineSnapshot(
      `[BasicError: preprocessor_config.json: expected a processor that makes one image of a picture, got one that cuts it into tiles (anyres). Train with image_aspect_ratio pad or square to export the model. [E_CONFIG]]`,
    );
  });
});
