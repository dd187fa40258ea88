import { BasicError, type ImageBatch } from "@basic-mllm/core";

import type { DecodeOptions } from "./image-format.js";
import { type Filter, type Region, type RgbImage, resizeImage } from "./resample.js";

/** Three numbers: red, green, blue. */
export type Channels = readonly [number, number, number];

/** How an image becomes the input of an encoder: pad, resize, crop, normalise. */
export interface ImageProcessor {
  /** Whether the image is first padded to a square with the mean colour (LLaVA's `pad`). */
  readonly pad: boolean;
  /** Exact size, or length of the shorter edge; null keeps the size. */
  readonly resize:
    | { readonly height: number; readonly width: number }
    | { readonly shortestEdge: number }
    | null;
  readonly filter: Filter;
  /** Size cut out of the middle; null keeps all. */
  readonly crop: { readonly height: number; readonly width: number } | null;
  /** Factor before mean and standard deviation, 1 / 255. */
  readonly rescale: number;
  readonly mean: Channels;
  readonly std: Channels;
  /** LLaVA-1.6: the picture as a whole and cut into tiles ({@link fitTiles}). Absent: one image a picture. */
  readonly tiles?: TileSettings;
  /** How files are decoded before. Absent: as {@link DecodeOptions} says. */
  readonly decode?: DecodeOptions;
}

/** How LLaVA-1.6 cuts a picture (`anyres`). */
export interface TileSettings {
  /** Sizes that a picture may be brought to, in the order that decides between equals. Multiples of `size`. */
  readonly pinpoints: readonly (readonly [height: number, width: number])[];
  /** Side of a tile, in pixels. */
  readonly size: number;
}

/** A processor for images of one size: SigLIP's mean and deviation of 0.5 unless given. */
export function squareProcessor(size: number, given: Partial<ImageProcessor> = {}): ImageProcessor {
  const half: Channels = [0.5, 0.5, 0.5];
  return {
    pad: false,
    resize: { height: size, width: size },
    filter: "bicubic",
    crop: null,
    rescale: 1 / 255,
    mean: half,
    std: half,
    ...given,
  };
}

/**
 * Pads, resizes and crops an image; an image that has the size already passes unchanged.
 *
 * @throws `BasicError` `E_CONFIG` for a processor that cuts pictures into tiles ({@link fitTiles}).
 */
export function fitImage(image: RgbImage, processor: ImageProcessor): RgbImage {
  if (processor.tiles !== undefined) {
    throw new BasicError(
      "E_CONFIG",
      "fitImage: expected a processor that makes one image of a picture, got one that cuts it into tiles (anyres). " +
        'Call fitTiles, or read the processor with { imageAspectRatio: "pad" } or "square".',
    );
  }
  const padded = processor.pad ? padToSquare(image, processor.mean) : image;
  const { width, height } = resizedSize(padded, processor.resize);
  const { crop, filter } = processor;
  if (crop === null) return resizeImage(padded, { width, height, filter });
  const left = Math.floor((width - crop.width) / 2);
  const top = Math.floor((height - crop.height) / 2);
  const region = {
    left: Math.max(0, left),
    top: Math.max(0, top),
    width: Math.min(width, crop.width),
    height: Math.min(height, crop.height),
  };
  const cut = resizeImage(padded, { width, height, filter, region });
  return placeImage(cut, { ...crop, left: Math.max(0, -left), top: Math.max(0, -top), fill: [0, 0, 0] });
}

/**
 * Normalises fitted images: `(value · rescale − mean) / std`, rounded to single precision at the end.
 *
 * @throws `BasicError` `E_SHAPE` when the images differ in size.
 */
export function toImageBatch(images: readonly RgbImage[], processor: ImageProcessor): ImageBatch {
  const [first] = images;
  const { height, width } = first ?? { height: 0, width: 0 };
  const each = height * width * 3;
  const pixels = new Float32Array(images.length * each);
  const table = channelTable(processor);
  for (const [index, image] of images.entries()) {
    if (image.height !== height || image.width !== width) {
      throw new BasicError(
        "E_SHAPE",
        `images: expected all of one batch to be ${height} × ${width}, got ${image.height} × ${image.width}. ` +
          "Use a processor that resizes to a fixed size or crops.",
      );
    }
    const start = index * each;
    for (let i = 0; i < each; i += 3) {
      pixels[start + i] = table[image.pixels[i] as number] as number;
      pixels[start + i + 1] = table[256 + (image.pixels[i + 1] as number)] as number;
      pixels[start + i + 2] = table[512 + (image.pixels[i + 2] as number)] as number;
    }
  }
  return { pixels, shape: [images.length, height, width, 3] };
}

/** The 256 values of red, then those of green and blue. */
function channelTable({ rescale, mean, std }: ImageProcessor): Float32Array {
  return Float32Array.from({ length: 768 }, (_, i) => {
    const channel = Math.floor(i / 256);
    return ((i % 256) * rescale - (mean[channel] as number)) / (std[channel] as number);
  });
}

/** Width and height after the resize. */
function resizedSize({ width, height }: RgbImage, resize: ImageProcessor["resize"]) {
  if (resize === null) return { width, height };
  if ("height" in resize) return resize;
  const { shortestEdge } = resize;
  const longer = Math.trunc((shortestEdge * Math.max(width, height)) / Math.min(width, height));
  return width <= height ? { width: shortestEdge, height: longer } : { width: longer, height: shortestEdge };
}

/** LLaVA's expand2square: the image in the middle of a square of the mean colour. */
function padToSquare(image: RgbImage, mean: Channels): RgbImage {
  const side = Math.max(image.width, image.height);
  const [red, green, blue] = mean;
  return placeImage(image, {
    width: side,
    height: side,
    left: Math.trunc((side - image.width) / 2),
    top: Math.trunc((side - image.height) / 2),
    fill: [Math.trunc(red * 255), Math.trunc(green * 255), Math.trunc(blue * 255)],
  });
}

/** An image on a larger ground of one colour; the image itself where it covers the ground. */
export function placeImage(image: RgbImage, ground: Region & { readonly fill: Channels }): RgbImage {
  const { width, height, left, top, fill } = ground;
  if (width === image.width && height === image.height) return image;
  const pixels = new Uint8Array(width * height * 3);
  if (fill.some((level) => level !== 0)) {
    for (let i = 0; i < pixels.length; i++) pixels[i] = fill[i % 3] as number;
  }
  const stride = image.width * 3;
  for (let y = 0; y < image.height; y++) {
    const line = image.pixels.subarray(y * stride, (y + 1) * stride);
    pixels.set(line, ((y + top) * width + left) * 3);
  }
  return { pixels, width, height };
}
