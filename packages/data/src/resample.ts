import { BasicError } from "@basic-mllm/core";

import { type Filter, nearestPlaces, PRECISION_BITS, type Taps, tapsOf } from "./resample-taps.js";

export type { Filter } from "./resample-taps.js";

/** An image on the host: `[height, width, 3]`, red, green, blue, 0 to 255. */
export interface RgbImage {
  readonly pixels: Uint8Array;
  readonly width: number;
  readonly height: number;
}

/** A part of an image, in pixels from its upper left corner. */
export interface Region {
  readonly left: number;
  readonly top: number;
  readonly width: number;
  readonly height: number;
}

/** What {@link resizeImage} makes. */
export interface ResizeOptions {
  readonly width: number;
  readonly height: number;
  readonly filter: Filter;
  /** Part of the resized image to compute; default all of it. The bytes are those of the whole, cut afterwards. */
  readonly region?: Region;
}

/** Rounds the shift. Not a power: V8 keeps those as doubles, which halves the speed of the loops. */
const HALF = 1 << (PRECISION_BITS - 1);

/**
 * Resizes an image as Pillow 13 does, to the last bit.
 *
 * Antialiased (the filter widens when shrinking), bicubic with a = −0.5, two passes each rounded to 8 bits, with
 * weights of 22 fractional bits. The pass over the width comes first, except where the height loses more than twice
 * as many lines as the width loses columns (up to Pillow 12 the width always came first, which differs by a few
 * levels). Source: Pillow 13.0.0, src/libImaging/Resample.c and, for `nearest`, Geometry.c.
 *
 * @throws `BasicError` `E_SHAPE` for an image without pixels, a size below 1 or a region that is not inside of it.
 */
export function resizeImage(image: RgbImage, options: ResizeOptions): RgbImage {
  const { width, height, filter } = options;
  const region = options.region ?? { left: 0, top: 0, width, height };
  checkSizes(image, options, region);
  if (width === image.width && height === image.height) return cutRegion(image, region);
  if (filter === "nearest") return resizeNearest(image, options, region);
  const columns = { from: image.width, to: width, first: region.left, count: region.width };
  const rows = { from: image.height, to: height, first: region.top, count: region.height };
  const across = width === image.width ? null : tapsOf(filter, columns);
  const down = height === image.height ? null : tapsOf(filter, rows);
  const [left, usedWidth] = placesUsed(across, columns);
  const [top, usedHeight] = placesUsed(down, rows);
  let packed = packPart(image, { left, top, width: usedWidth, height: usedHeight });
  const heightFirst = image.height > height && image.height - height > 2 * (image.width - width);
  if (heightFirst && down !== null) packed = resizeHeight(packed, down, top);
  if (across !== null) packed = resizeWidth(packed, across, left);
  if (!heightFirst && down !== null) packed = resizeHeight(packed, down, top);
  return unpack(packed);
}

/** The part of an image; the image itself where the part is all of it. Whole lines share its memory. */
export function cutRegion(image: RgbImage, { left, top, width, height }: Region): RgbImage {
  const stride = image.width * 3;
  if (left === 0 && width === image.width) {
    if (height === image.height) return image;
    return { pixels: image.pixels.subarray(top * stride, (top + height) * stride), width, height };
  }
  const pixels = new Uint8Array(width * height * 3);
  for (let y = 0; y < height; y++) {
    const from = (top + y) * stride + left * 3;
    pixels.set(image.pixels.subarray(from, from + width * 3), y * width * 3);
  }
  return { pixels, width, height };
}

/** An image with one whole number a pixel: red in the lowest byte, then green and blue. */
interface PackedImage {
  readonly words: Int32Array;
  readonly width: number;
  readonly height: number;
}

/** First place of the input and number of places that the wanted places of an axis are made of. */
function placesUsed(taps: Taps | null, { first, count }: { first: number; count: number }) {
  if (taps === null) return [first, count] as const;
  const start = taps.starts[0] as number;
  const last = taps.starts.length - 1;
  return [start, (taps.starts[last] as number) + (taps.counts[last] as number) - start] as const;
}

function packPart({ pixels, width: all }: RgbImage, { left, top, width, height }: Region): PackedImage {
  const words = new Int32Array(width * height);
  for (let y = 0, to = 0; y < height; y++) {
    let from = ((top + y) * all + left) * 3;
    for (const end = to + width; to < end; to++, from += 3) {
      const green = pixels[from + 1] as number;
      const blue = pixels[from + 2] as number;
      words[to] = (pixels[from] as number) | (green << 8) | (blue << 16);
    }
  }
  return { words, width, height };
}

function unpack({ words, width, height }: PackedImage): RgbImage {
  const pixels = new Uint8Array(words.length * 3);
  for (let i = 0, to = 0; i < words.length; i++, to += 3) {
    const word = words[i] as number;
    pixels[to] = word;
    pixels[to + 1] = word >> 8;
    pixels[to + 2] = word >> 16;
  }
  return { pixels, width, height };
}

/** Two lines at a time, so that a weight is read once for both. @param skipped - Columns left out of `words`. */
function resizeWidth({ words, width, height }: PackedImage, taps: Taps, skipped: number): PackedImage {
  const { starts, counts, weights, most } = taps;
  const wanted = starts.length;
  const out = new Int32Array(wanted * height);
  for (let y = 0; y < height; y += 2) {
    // The last line of an odd number is computed twice.
    const last = y + 1 === height;
    const below = last ? 0 : width;
    const line = y * width - skipped;
    let to = y * wanted;
    for (let x = 0; x < wanted; x++, to++) {
      let from = line + (starts[x] as number);
      let tap = x * most;
      const end = tap + (counts[x] as number);
      let red = HALF;
      let green = HALF;
      let blue = HALF;
      let redBelow = HALF;
      let greenBelow = HALF;
      let blueBelow = HALF;
      for (; tap < end; tap++, from++) {
        const weight = weights[tap] as number;
        const word = words[from] as number;
        const wordBelow = words[from + below] as number;
        red = (red + Math.imul(word & 255, weight)) | 0;
        green = (green + Math.imul((word >> 8) & 255, weight)) | 0;
        blue = (blue + Math.imul(word >> 16, weight)) | 0;
        redBelow = (redBelow + Math.imul(wordBelow & 255, weight)) | 0;
        greenBelow = (greenBelow + Math.imul((wordBelow >> 8) & 255, weight)) | 0;
        blueBelow = (blueBelow + Math.imul(wordBelow >> 16, weight)) | 0;
      }
      out[to] = toLevel(red) | (toLevel(green) << 8) | (toLevel(blue) << 16);
      out[last ? to : to + wanted] =
        toLevel(redBelow) | (toLevel(greenBelow) << 8) | (toLevel(blueBelow) << 16);
    }
  }
  return { words: out, width: wanted, height };
}

/** @param skipped - Lines left out of `words`. */
function resizeHeight({ words, width }: PackedImage, taps: Taps, skipped: number): PackedImage {
  const { starts, counts, weights, most } = taps;
  const height = starts.length;
  const out = new Int32Array(width * height);
  for (let y = 0, to = 0; y < height; y++) {
    const first = y * most;
    const end = first + (counts[y] as number);
    const line = ((starts[y] as number) - skipped) * width;
    for (let x = 0; x < width; x++, to++) {
      let from = line + x;
      let red = HALF;
      let green = HALF;
      let blue = HALF;
      for (let tap = first; tap < end; tap++, from += width) {
        const weight = weights[tap] as number;
        const word = words[from] as number;
        red = (red + Math.imul(word & 255, weight)) | 0;
        green = (green + Math.imul((word >> 8) & 255, weight)) | 0;
        blue = (blue + Math.imul(word >> 16, weight)) | 0;
      }
      out[to] = toLevel(red) | (toLevel(green) << 8) | (toLevel(blue) << 16);
    }
  }
  return { words: out, width, height };
}

function toLevel(sum: number): number {
  const level = sum >> PRECISION_BITS;
  return Math.max(0, Math.min(255, level));
}

function resizeNearest(image: RgbImage, { width, height }: ResizeOptions, region: Region): RgbImage {
  const columns = nearestPlaces(image.width, width);
  const rows = nearestPlaces(image.height, height);
  const pixels = new Uint8Array(region.width * region.height * 3);
  for (let y = 0, to = 0; y < region.height; y++) {
    const row = rows[region.top + y] as number;
    for (let x = 0; x < region.width; x++, to += 3) {
      const column = columns[region.left + x] as number;
      if (row < 0 || column < 0) continue;
      const from = (row * image.width + column) * 3;
      for (let channel = 0; channel < 3; channel++) {
        pixels[to + channel] = image.pixels[from + channel] as number;
      }
    }
  }
  return { pixels, width: region.width, height: region.height };
}

function checkSizes(image: RgbImage, { width, height }: ResizeOptions, region: Region): void {
  const sizes = [image.width, image.height, width, height, region.width, region.height];
  const whole = sizes.every((size) => Number.isInteger(size) && size >= 1);
  const inside =
    region.left >= 0 &&
    region.top >= 0 &&
    region.left + region.width <= width &&
    region.top + region.height <= height;
  const full = image.pixels.length === image.width * image.height * 3;
  if (whole && inside && full) return;
  throw new BasicError(
    "E_SHAPE",
    `resizeImage: expected an image of 3 bytes a pixel, whole sizes of at least 1 and a region inside of the result, got ` +
      `${image.pixels.length} bytes for ${image.width} × ${image.height} pixels, wanted ${width} × ${height}, region ` +
      `${region.width} × ${region.height} at (${region.left}, ${region.top}). Correct the sizes that you pass.`,
  );
}
