import { readFile as readWithCallback } from "node:fs";
import { open } from "node:fs/promises";
import { promisify } from "node:util";

import { BasicError } from "@basic-mllm/core";
import sharp, { type Sharp } from "sharp";

import {
  checkPixels,
  type DecodeOptions,
  type ImageFormat,
  readableFormat,
  undecodable,
} from "./image-format.js";
import { cmykToRgb, fillOpen, gifGround, gray16ToRgba, onWhite, withoutAlpha } from "./pillow-rgb.js";
import type { RgbImage } from "./resample.js";
import { decodeSmallPng } from "./small-png.js";
import type { ImageSize } from "./tiles.js";

/** A quarter of the time that the one of node:fs/promises takes for a small file. */
const readFile = promisify(readWithCallback);

/** Bytes from which a format is told. */
const HEAD_BYTES = 1024;

/**
 * Decodes an image file to what Pillow's `convert("RGB")` gives: rotation of the camera applied, the first frame of a
 * moving picture, colour profiles not followed, gray repeated, transparency dropped (or laid on white).
 *
 * @param name - For the message.
 * @throws `BasicError` `E_IMAGE` naming the file: empty, cut off, no picture, too many pixels, an SVG drawing.
 */
export async function decodeImage(
  bytes: Uint8Array,
  name: string,
  options: DecodeOptions = {},
): Promise<RgbImage> {
  const format = readableFormat(bytes, name, options);
  const small = format === "png" ? decodeSmallPng(bytes) : null;
  if (small !== null) {
    checkPixels(small, name, options);
    return small;
  }
  try {
    const source = await openSource(bytes, name, { format, options });
    if (source.space === "cmyk") return await decodeCmyk(source);
    if (source.space === "grey16" && isOpaqueGray(source)) return await decodeGray16(source, options);
    if (format !== "gif" && options.background === undefined) return await decodeOpaque(source);
    return await decodeLayered(source, options);
  } catch (cause) {
    throw cause instanceof BasicError ? cause : undecodable(bytes, name, cause);
  }
}

/** An open file. */
interface Source {
  readonly bytes: Uint8Array;
  readonly format: ImageFormat;
  readonly picture: Sharp;
  /** As it is shown: with the rotation of the camera. */
  readonly size: ImageSize;
  readonly space: string | undefined;
  readonly channels: number;
}

async function openSource(
  bytes: Uint8Array,
  name: string,
  { format, options }: { readonly format: ImageFormat; readonly options: DecodeOptions },
): Promise<Source> {
  const picture = sharp(bytes, { failOn: "error", ignoreIcc: true, limitInputPixels: false }).rotate();
  const { autoOrient: size, space, channels } = await picture.metadata();
  checkPixels(size, name, options);
  return { bytes, format, picture, size, space, channels };
}

/**
 * Width and height of a picture as {@link decodeImage} gives it, from the head of its file.
 *
 * @throws `BasicError` `E_IMAGE` as {@link decodeImage}, but for damage behind the head.
 */
export async function readImageSize(
  bytes: Uint8Array,
  name: string,
  options: DecodeOptions = {},
): Promise<ImageSize> {
  const format = readableFormat(bytes, name, options);
  try {
    const { size } = await openSource(bytes, name, { format, options });
    return { height: size.height, width: size.width };
  } catch (cause) {
    throw cause instanceof BasicError ? cause : undecodable(bytes, name, cause);
  }
}

/**
 * {@link readImageSize} of a file, of which no more than its head is read; WebP files are read whole.
 *
 * @throws `BasicError` `E_IMAGE` as {@link readImageSize}, also for a file that is missing.
 */
export async function readFileSize(
  path: string,
  name: string,
  options: DecodeOptions = {},
): Promise<ImageSize> {
  const size = await sizeOfHead(path, name, options).catch(() => null);
  // Also for the message, which tells the length of what cannot be read.
  return size ?? readImageSize(await readImageBytes(path), name, options);
}

async function sizeOfHead(path: string, name: string, options: DecodeOptions): Promise<ImageSize | null> {
  const file = await open(path);
  try {
    const { buffer, bytesRead } = await file.read(new Uint8Array(HEAD_BYTES), 0, HEAD_BYTES, 0);
    const format = readableFormat(buffer.subarray(0, bytesRead), name, options);
    // libvips remembers WebP files by name: of one that changed it would give the old size.
    if (format === "webp") return null;
  } finally {
    await file.close();
  }
  const { autoOrient } = await sharp(path, { ignoreIcc: true, limitInputPixels: false }).metadata();
  checkPixels(autoOrient, name, options);
  return { height: autoOrient.height, width: autoOrient.width };
}

/** Gray of 16 bits that Pillow keeps as such: with an alpha channel it takes the upper bytes, as for colours. */
function isOpaqueGray({ bytes, format, channels }: Source): boolean {
  const pngColorType = bytes[25];
  return channels === 1 || (format === "png" && pngColorType === 0);
}

async function decodeOpaque({ picture }: Source): Promise<RgbImage> {
  const { data, width, height } = await rawPixels(picture.toColourspace("srgb").removeAlpha().raw(), [3]);
  return { pixels: data, width, height };
}

async function decodeCmyk({ picture }: Source): Promise<RgbImage> {
  const inks = picture.pipelineColourspace("cmyk").toColourspace("cmyk").removeAlpha().raw();
  const { data, width, height } = await rawPixels(inks, [4]);
  return { pixels: cmykToRgb(data), width, height };
}

async function decodeGray16({ picture }: Source, { background }: DecodeOptions): Promise<RgbImage> {
  const gray = picture.pipelineColourspace("grey16").toColourspace("grey16").raw({ depth: "ushort" });
  const { data, width, height, channels } = await rawPixels(gray, [1, 2]);
  const rgba = gray16ToRgba(new Uint16Array(data.buffer), channels);
  return { pixels: background === "white" ? onWhite(rgba) : withoutAlpha(rgba), width, height };
}

/** With transparency: laid on white, or for a GIF given the palette's colour. */
async function decodeLayered(
  { picture, format, bytes }: Source,
  { background }: DecodeOptions,
): Promise<RgbImage> {
  const layered = picture.toColourspace("srgb").ensureAlpha().raw();
  const { data, width, height } = await rawPixels(layered, [4]);
  const white = background === "white";
  if (format === "gif") {
    const ground = gifGround(bytes);
    if (!white || !ground.transparent) fillOpen(data, width, ground);
  }
  return { pixels: white ? onWhite(data) : withoutAlpha(data), width, height };
}

/** Runs a pipeline. The pixels have a buffer of their own, which numbers of two bytes need. */
async function rawPixels(picture: Sharp, expected: readonly number[]) {
  const { data, info } = await picture.toBuffer({ resolveWithObject: true });
  const { width, height, channels } = info;
  if (!expected.includes(channels)) {
    throw new Error(`it has ${channels} channels, expected ${expected.join(" or ")}`);
  }
  return { data: new Uint8Array(data), width, height, channels };
}

/**
 * A small WebP of an image as a `data:` address, for a page. Never larger than the image itself.
 *
 * @param size - Pixels of its longer side.
 * @throws `BasicError` `E_IMAGE` as {@link decodeImage}.
 */
export async function encodeThumbnail(
  bytes: Uint8Array,
  name: string,
  size: number,
  options: DecodeOptions = {},
): Promise<string> {
  const format = readableFormat(bytes, name, options);
  try {
    const { picture } = await openSource(bytes, name, { format, options });
    const small = picture.resize(size, size, { fit: "inside", withoutEnlargement: true });
    return `data:image/webp;base64,${(await small.webp({ quality: 80 }).toBuffer()).toString("base64")}`;
  } catch (cause) {
    throw cause instanceof BasicError ? cause : undecodable(bytes, name, cause);
  }
}

/**
 * Reads the bytes of an image.
 *
 * @throws `BasicError` `E_IMAGE` naming the file that is missing.
 */
export async function readImageBytes(path: string): Promise<Uint8Array> {
  try {
    return await readFile(path);
  } catch (cause) {
    const missing = cause instanceof Error && "code" in cause && cause.code === "ENOENT";
    throw new BasicError(
      "E_IMAGE",
      `image "${path}": ${missing ? "there is no such file" : `cannot be read (${String(cause)})`}. ` +
        'Correct the image folder or the record, or set onImageError to "skip-and-count".',
      { cause },
    );
  }
}
