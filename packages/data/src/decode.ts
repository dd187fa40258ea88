import { readFile } from "node:fs/promises";

import { BasicError } from "@basic-mllm/core";
import sharp from "sharp";

import type { RgbImage } from "./resample.js";

/**
 * Decodes an image file: rotation of the camera applied, transparency dropped, gray repeated.
 *
 * @param name - For the message.
 * @throws `BasicError` `E_IMAGE` naming the file.
 */
export async function decodeImage(bytes: Uint8Array, name: string): Promise<RgbImage> {
  try {
    const { data, info } = await sharp(bytes)
      .rotate()
      .toColourspace("srgb")
      .removeAlpha()
      .raw()
      .toBuffer({ resolveWithObject: true });
    return { pixels: new Uint8Array(data), width: info.width, height: info.height };
  } catch (cause) {
    throw undecodable(bytes, name, cause);
  }
}

/**
 * A small WebP of an image as a `data:` address, for a page. Never larger than the image itself.
 *
 * @param size - Pixels of its longer side.
 * @throws `BasicError` `E_IMAGE` as {@link decodeImage}.
 */
export async function encodeThumbnail(bytes: Uint8Array, name: string, size: number): Promise<string> {
  try {
    const small = sharp(bytes).rotate().resize(size, size, { fit: "inside", withoutEnlargement: true });
    return `data:image/webp;base64,${(await small.webp({ quality: 80 }).toBuffer()).toString("base64")}`;
  } catch (cause) {
    throw undecodable(bytes, name, cause);
  }
}

function undecodable(bytes: Uint8Array, name: string, cause: unknown): BasicError {
  const reason = cause instanceof Error ? cause.message.split("\n")[0] : String(cause);
  return new BasicError(
    "E_IMAGE",
    `image "${name}": expected a PNG, JPEG, WebP, GIF, TIFF or AVIF file, got ${bytes.length} bytes that cannot be decoded (${reason}). ` +
      'Replace the file, or set onImageError to "skip-and-count".',
    { cause },
  );
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
