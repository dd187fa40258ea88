import { BasicError } from "@basic-mllm/core";

import type { ImageProcessor } from "./image-processor.js";
import { FILTERS } from "./processor-config.js";

/**
 * The preprocessor_config.json of a processor, as Hugging Face's classes read it.
 *
 * @throws `BasicError` `E_CONFIG` for a processor that cuts pictures into tiles: LLaVA-1.6's is a model of another type.
 */
export function describeImageProcessor(processor: ImageProcessor): Readonly<Record<string, unknown>> {
  const { pad, resize, filter, crop, rescale, mean, std, tiles } = processor;
  if (tiles !== undefined) {
    throw new BasicError(
      "E_CONFIG",
      "preprocessor_config.json: expected a processor that makes one image of a picture, got one that cuts it into tiles (anyres). " +
        "Train with image_aspect_ratio pad or square to export the model.",
    );
  }
  const isSquare = resize !== null && "height" in resize && crop === null && !pad;
  return {
    image_processor_type: pad
      ? "LlavaImageProcessor"
      : isSquare
        ? "SiglipImageProcessor"
        : "CLIPImageProcessor",
    ...(pad && { do_pad: true }),
    do_resize: resize !== null,
    ...(resize !== null && {
      size: "shortestEdge" in resize ? { shortest_edge: resize.shortestEdge } : { ...resize },
      resample: FILTERS.indexOf(filter),
    }),
    do_center_crop: crop !== null,
    ...(crop !== null && { crop_size: { ...crop } }),
    do_rescale: rescale !== 1,
    rescale_factor: rescale,
    do_normalize: true,
    image_mean: [...mean],
    image_std: [...std],
    do_convert_rgb: true,
  };
}
