import { BasicError, type ImageBatch } from "@basic-mllm/core";

import { type Filter, type RgbImage, resizeImage } from "./resample.js";

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
}

const FILTERS: Readonly<Record<number, Filter>> = { 2: "bilinear", 3: "bicubic" };

/**
 * Reads `preprocessor_config.json` of CLIP, SigLIP, DINOv2 or LLaVA.
 *
 * @throws `BasicError` `E_CONFIG` naming the field that cannot be used.
 */
export function parseImageProcessor(config: unknown): ImageProcessor {
  const fields = (config ?? {}) as Readonly<Record<string, unknown>>;
  const resample = Number(fields["resample"] ?? 3);
  const filter = FILTERS[resample];
  if (filter === undefined) throw processorError("resample", "2 (bilinear) or 3 (bicubic)", resample);
  const normalise = fields["do_normalize"] !== false;
  return {
    pad: fields["do_pad"] === true,
    resize: fields["do_resize"] === false ? null : readSize(fields["size"]),
    filter,
    crop: fields["do_center_crop"] === true ? readCrop(fields["crop_size"]) : null,
    rescale: fields["do_rescale"] === false ? 1 : Number(fields["rescale_factor"] ?? 1 / 255),
    mean: normalise ? readChannels(fields, "image_mean") : [0, 0, 0],
    std: normalise ? readChannels(fields, "image_std") : [1, 1, 1],
  };
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

/** Pads, resizes and crops an image; an image that has the size already passes unchanged. */
export function fitImage(image: RgbImage, processor: ImageProcessor): RgbImage {
  const padded = processor.pad ? padToSquare(image, processor.mean) : image;
  const resized = resizeTo(padded, processor);
  return processor.crop === null ? resized : cropCenter(resized, processor.crop);
}

/**
 * Normalises fitted images: `(value · rescale − mean) / std`.
 *
 * @throws `BasicError` `E_SHAPE` when the images differ in size.
 */
export function toImageBatch(images: readonly RgbImage[], processor: ImageProcessor): ImageBatch {
  const [first] = images;
  const { height, width } = first ?? { height: 0, width: 0 };
  const each = height * width * 3;
  const pixels = new Float32Array(images.length * each);
  const tables = channelTables(processor);
  for (const [index, image] of images.entries()) {
    if (image.height !== height || image.width !== width) {
      throw new BasicError(
        "E_SHAPE",
        `images: expected all of one batch to be ${height} × ${width}, got ${image.height} × ${image.width}. ` +
          "Use a processor that resizes to a fixed size or crops.",
      );
    }
    for (let i = 0; i < each; i++) {
      pixels[index * each + i] = (tables[i % 3] as Float32Array)[image.pixels[i] as number] as number;
    }
  }
  return { pixels, shape: [images.length, height, width, 3] };
}

/** The 256 values of each channel. */
function channelTables({ rescale, mean, std }: ImageProcessor): readonly Float32Array[] {
  return mean.map((center, channel) =>
    Float32Array.from({ length: 256 }, (_, value) => (value * rescale - center) / (std[channel] as number)),
  );
}

function resizeTo(image: RgbImage, { resize, filter }: ImageProcessor): RgbImage {
  if (resize === null) return image;
  if ("height" in resize) return resizeImage(image, resize.width, resize.height, filter);
  const { shortestEdge } = resize;
  const { width, height } = image;
  const longer = Math.trunc((shortestEdge * Math.max(width, height)) / Math.min(width, height));
  return width <= height
    ? resizeImage(image, shortestEdge, longer, filter)
    : resizeImage(image, longer, shortestEdge, filter);
}

/** LLaVA's expand2square: the image in the middle of a square of the mean colour. */
function padToSquare(image: RgbImage, mean: Channels): RgbImage {
  const { width, height } = image;
  if (width === height) return image;
  const side = Math.max(width, height);
  const fill = mean.map((value) => Math.trunc(value * 255));
  const pixels = new Uint8Array(side * side * 3);
  for (let i = 0; i < pixels.length; i++) pixels[i] = fill[i % 3] as number;
  const left = Math.trunc((side - width) / 2);
  const top = Math.trunc((side - height) / 2);
  copyBox(image, { pixels, width: side }, { left, top });
  return { pixels, width: side, height: side };
}

/** Cuts out the middle; black where the image is smaller. */
function cropCenter(image: RgbImage, { height, width }: { height: number; width: number }): RgbImage {
  if (image.height === height && image.width === width) return image;
  const pixels = new Uint8Array(height * width * 3);
  const left = -Math.floor((image.width - width) / 2);
  const top = -Math.floor((image.height - height) / 2);
  copyBox(image, { pixels, width }, { left, top });
  return { pixels, width, height };
}

/** Copies what of the image falls inside of the target when its corner stands at (left, top). */
function copyBox(
  image: RgbImage,
  target: { readonly pixels: Uint8Array; readonly width: number },
  { left, top }: { readonly left: number; readonly top: number },
): void {
  const height = target.pixels.length / (target.width * 3);
  const firstX = Math.max(0, -left);
  const lastX = Math.min(image.width, target.width - left);
  if (lastX <= firstX) return;
  for (let y = Math.max(0, -top); y < Math.min(image.height, height - top); y++) {
    const line = image.pixels.subarray((y * image.width + firstX) * 3, (y * image.width + lastX) * 3);
    target.pixels.set(line, ((y + top) * target.width + left + firstX) * 3);
  }
}

function readSize(value: unknown): ImageProcessor["resize"] {
  if (typeof value === "number") return { shortestEdge: value };
  const { shortest_edge, height, width } = (value ?? {}) as Readonly<Record<string, unknown>>;
  if (typeof shortest_edge === "number") return { shortestEdge: shortest_edge };
  if (typeof height === "number" && typeof width === "number") return { height, width };
  throw processorError("size", '{"shortest_edge"} or {"height", "width"}', value);
}

function readCrop(value: unknown): { height: number; width: number } {
  if (typeof value === "number") return { height: value, width: value };
  const { height, width } = (value ?? {}) as Readonly<Record<string, unknown>>;
  if (typeof height === "number" && typeof width === "number") return { height, width };
  throw processorError("crop_size", '{"height", "width"}', value);
}

function readChannels(fields: Readonly<Record<string, unknown>>, name: string): Channels {
  const value = fields[name];
  if (Array.isArray(value) && value.length === 3 && value.every((item) => typeof item === "number")) {
    const [red = 0, green = 0, blue = 0] = value;
    return [red, green, blue];
  }
  throw processorError(name, "three numbers", value);
}

function processorError(field: string, expected: string, value: unknown): BasicError {
  return new BasicError(
    "E_CONFIG",
    `preprocessor_config.json: \`${field}\` must be ${expected}, got ${JSON.stringify(value) ?? "nothing"}. ` +
      "Use the file that belongs to the encoder.",
  );
}
