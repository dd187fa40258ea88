import { BasicError } from "@basic-mllm/core";

import type { ImageProcessor, TileSettings } from "./image-processor.js";
import { FILTERS } from "./processor-config.js";

/**
 * The preprocessor_config.json of a processor, as Hugging Face's classes read it; of one that cuts pictures into tiles, that of
 * `LlavaNextImageProcessor`. How files are decoded has no place in it.
 *
 * @throws `BasicError` `E_CONFIG` for tiles of another size than the processor's images.
 */
export function describeImageProcessor(processor: ImageProcessor): Readonly<Record<string, unknown>> {
  const { pad, resize, filter, crop, rescale, mean, std, tiles } = processor;
  return {
    image_processor_type: typeOf(processor),
    ...(tiles ? tileFields(processor, tiles) : pad && { do_pad: true }),
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

function typeOf({ pad, resize, crop, tiles }: ImageProcessor): string {
  if (tiles !== undefined) return "LlavaNextImageProcessor";
  if (pad) return "LlavaImageProcessor";
  const isSquare = resize !== null && "height" in resize && crop === null;
  return isSquare ? "SiglipImageProcessor" : "CLIPImageProcessor";
}

/** `do_pad` fills a batch up to equal numbers of tiles. Where nothing is cropped, `crop_size` is the size of a tile all the same. */
function tileFields(
  { resize, crop }: ImageProcessor,
  { pinpoints, size }: TileSettings,
): Readonly<Record<string, unknown>> {
  const shown = crop ?? sizeOf(resize);
  if (resize === null || shown?.height !== size) {
    throw new BasicError(
      "E_CONFIG",
      `preprocessor_config.json: expected a processor whose images are as high as its tiles, ${size} pixels, got ` +
        `${JSON.stringify({ resize, crop })}. Use what parseImageProcessor gives, which reads both from one field.`,
    );
  }
  return {
    do_pad: true,
    crop_size: { ...shown },
    image_grid_pinpoints: pinpoints.map((pair) => [...pair]),
  };
}

function sizeOf(resize: ImageProcessor["resize"]) {
  if (resize === null || "height" in resize) return resize;
  return { height: resize.shortestEdge, width: resize.shortestEdge };
}
