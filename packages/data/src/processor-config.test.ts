import { describe, expect, it } from "vitest";

import { rejection } from "../test/rejection.js";
import { parseImageProcessor } from "./processor-config.js";

const whole = { size: { height: 8, width: 8 }, resample: 2, image_mean: [0, 0, 0], image_std: [1, 1, 1] };
const clip = { image_processor_type: "CLIPImageProcessor" };
const next = { image_processor_type: "LlavaNextImageProcessor", size: 336, crop_size: 336 };

describe("parseImageProcessor", () => {
  it.each<[string, object, object]>([
    ["a number as the shorter edge for CLIP", { ...clip, size: 9 }, { resize: { shortestEdge: 9 } }],
    [
      "a number as a square for ViT",
      { image_processor_type: "ViTImageProcessor", size: 9 },
      { resize: { height: 9, width: 9 } },
    ],
    ["a pair", { ...clip, size: [4, 6] }, { resize: { height: 4, width: 6 } }],
    [
      "nulls of transformers 5",
      { ...clip, size: { shortest_edge: 9, height: null } },
      { resize: { shortestEdge: 9 } },
    ],
    ["a crop of one number", { ...clip, crop_size: 6 }, { crop: { height: 6, width: 6 } }],
    ["null as the default of the type", { ...clip, resample: null }, { filter: "bicubic" }],
    ["an old name", { feature_extractor_type: "CLIPFeatureExtractor" }, { resize: { shortestEdge: 224 } }],
    [
      "a fast variant",
      { image_processor_type: "BitImageProcessorFast" },
      { crop: { height: 224, width: 224 } },
    ],
    [
      "a part of processor_config.json",
      { image_processor: { ...clip, size: 9 } },
      { resize: { shortestEdge: 9 } },
    ],
    [
      "flags that are off",
      { ...clip, do_resize: false, do_center_crop: false },
      { resize: null, crop: null },
    ],
    ["no normalisation", { ...clip, do_normalize: false }, { mean: [0, 0, 0], std: [1, 1, 1] }],
    ["a file without a type that says all", whole, { filter: "bilinear", crop: null, pad: false }],
    ["pad without a type", { ...whole, do_pad: true }, { pad: true }],
    ["pad of the file", { ...clip, image_aspect_ratio: "pad" }, { pad: true }],
    ["tiles", next, { tiles: { size: 336 } }],
  ])("reads %s", (_, config, expected) => {
    expect(parseImageProcessor(config)).toMatchObject(expected);
  });

  it("takes what the config of a LLaVA checkpoint says over the file", () => {
    expect(parseImageProcessor(clip, { imageAspectRatio: "pad" }).pad).toBe(true);
    expect(parseImageProcessor(next, { imageAspectRatio: "square" }).tiles).toBeUndefined();
    expect(parseImageProcessor(next, { imageAspectRatio: null })).toMatchObject({ pad: false });
    const anyres = { imageAspectRatio: "anyres", gridPinpoints: [[224, 448]] as const };
    expect(parseImageProcessor(clip, anyres).tiles).toEqual({ pinpoints: [[224, 448]], size: 224 });
    expect(parseImageProcessor(clip, { imageAspectRatio: "anyres" }).tiles?.pinpoints[4]).toEqual([224, 672]);
  });

  it.each<[string, unknown]>([
    ["three numbers", { ...whole, image_mean: [0.5] }],
    ["a filter", { ...whole, resample: 6 }],
    ["a filter where there is no type", { ...whole, resample: undefined }],
    ["a size of known meaning", { ...whole, size: 8 }],
    ["a size that we can make", { ...clip, size: { longest_edge: 9 } }],
    ["both edges only where we can", { ...clip, size: { shortest_edge: 9, longest_edge: 12 } }],
    ["a whole crop", { ...clip, crop_size: { height: 2.5, width: 3 } }],
    ["a deviation", { ...whole, image_std: [1, 0, 1] }],
    ["a factor", { ...whole, rescale_factor: 0 }],
    ["a flag", { ...clip, do_resize: "yes" }],
    ["no padding to the batch", { ...clip, do_pad: true }],
    ["no padding to a size", { ...clip, pad_size: { height: 9, width: 9 } }],
    ["fields that it knows", { ...clip, crop_pct: 0.875 }],
    ["a known ratio", { ...clip, image_aspect_ratio: "anyres_max_9" }],
    ["a known type", { image_processor_type: "Qwen2VLImageProcessor" }],
    ["a type that is no method of objects", { image_processor_type: "constructor" }],
    ["a fixed resolution", { image_processor_type: "Siglip2ImageProcessorFast" }],
    ["pinpoints of whole tiles", { ...next, image_grid_pinpoints: [[336, 700]] }],
    ["pinpoints", { ...next, image_grid_pinpoints: [] }],
    ["tiles of a size", { ...next, do_resize: false }],
    ["an object", [1]],
  ])("asks for %s", async (_, config) => {
    expect(await rejection(() => parseImageProcessor(config))).toMatchSnapshot();
  });
});
