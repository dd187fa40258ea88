// The browser's own decoders. They keep the colours under transparent pixels only on the way through a texture: a canvas
// multiplies them with their alpha.
import { BasicError } from "@basic-mllm/core";

import {
  checkPixels,
  type DecodeOptions,
  type ImageFormat,
  imageError,
  readableFormat,
  undecodable,
} from "./image-format.js";
import { sizeInHead } from "./image-head.js";
import { fillOpen, gifGround, onWhite, withoutAlpha } from "./pillow-rgb.js";
import type { RgbImage } from "./resample.js";

/**
 * Decodes an image file in a browser's page or worker, to the pixels that Node gives: PNG, GIF and lossless WebP byte for
 * byte; JPEG, lossy WebP and AVIF as far as the browser's decoder goes (inks of a CMYK JPEG: one level).
 *
 * @param name - For the message.
 * @throws `BasicError` `E_IMAGE` naming the file: empty, cut off, no picture, too many pixels; TIFF, SVG, and PNG of 16
 *   bits gray, which browsers do not read as Pillow does.
 */
export async function decodeImage(
  bytes: Uint8Array,
  name: string,
  options: DecodeOptions = {},
): Promise<RgbImage> {
  const format = readableFormat(bytes, name, options);
  refuseUnlike(bytes, name, format);
  const size = sizeInHead(bytes, format);
  if (size !== null) checkPixels(size, name, options);
  const bitmap = await openBitmap(bytes, name, format);
  try {
    checkPixels(bitmap, name, options);
    const { width, height } = bitmap;
    const rgba = pixelsOf(bitmap, name);
    const white = options.background === "white";
    if (format === "gif") {
      const ground = gifGround(bytes);
      if (!white || !ground.transparent) fillOpen(rgba, width, ground);
    }
    return { pixels: white ? onWhite(rgba) : withoutAlpha(rgba), width, height };
  } finally {
    bitmap.close();
  }
}

/** Files that a browser does not read, or not as Node does. */
function refuseUnlike(bytes: Uint8Array, name: string, format: ImageFormat): void {
  const gray16 = format === "png" && bytes[24] === 16 && bytes[25] === 0;
  const what = { tiff: "a TIFF file", svg: "an SVG drawing", gray16: "a PNG of 16 bits gray" };
  const kind = gray16 ? "gray16" : format;
  if (kind !== "tiff" && kind !== "svg" && kind !== "gray16") return;
  throw imageError(
    name,
    `expected a file that browsers read as Node does, got ${what[kind]}. Convert it to PNG of 8 bits`,
  );
}

async function openBitmap(bytes: Uint8Array, name: string, format: ImageFormat): Promise<ImageBitmap> {
  const file = new Blob([bytes as Uint8Array<ArrayBuffer>], { type: `image/${format}` });
  try {
    return await createImageBitmap(file, {
      colorSpaceConversion: "none",
      premultiplyAlpha: "none",
      imageOrientation: "from-image",
    });
  } catch (cause) {
    throw undecodable(bytes, name, cause);
  }
}

/** Red, green, blue and alpha of a bitmap, as they are in its file. */
function pixelsOf(bitmap: ImageBitmap, name: string): Uint8Array {
  const { width, height } = bitmap;
  const context = new OffscreenCanvas(width, height).getContext("2d", { willReadFrequently: true });
  if (context === null) throw noCanvas(name, "a canvas");
  context.drawImage(bitmap, 0, 0);
  const { data } = context.getImageData(0, 0, width, height);
  for (let i = 3; i < data.length; i += 4) {
    if (data[i] !== 255) return transparentPixels(bitmap, name);
  }
  return new Uint8Array(data.buffer);
}

function transparentPixels(bitmap: ImageBitmap, name: string): Uint8Array {
  const { width, height } = bitmap;
  const gl = new OffscreenCanvas(1, 1).getContext("webgl2");
  if (gl === null) throw noCanvas(name, "WebGL 2, which hands out transparent pixels unchanged,");
  try {
    gl.bindTexture(gl.TEXTURE_2D, gl.createTexture());
    gl.pixelStorei(gl.UNPACK_PREMULTIPLY_ALPHA_WEBGL, false);
    gl.pixelStorei(gl.UNPACK_COLORSPACE_CONVERSION_WEBGL, gl.NONE);
    gl.texImage2D(gl.TEXTURE_2D, 0, gl.RGBA8, gl.RGBA, gl.UNSIGNED_BYTE, bitmap);
    gl.bindFramebuffer(gl.FRAMEBUFFER, gl.createFramebuffer());
    const [target, level] = [gl.COLOR_ATTACHMENT0, 0];
    const texture = gl.getParameter(gl.TEXTURE_BINDING_2D) as WebGLTexture;
    gl.framebufferTexture2D(gl.FRAMEBUFFER, target, gl.TEXTURE_2D, texture, level);
    const pixels = new Uint8Array(width * height * 4);
    gl.readPixels(0, 0, width, height, gl.RGBA, gl.UNSIGNED_BYTE, pixels);
    if (gl.getError() === gl.NO_ERROR) return pixels;
    throw noCanvas(name, `a WebGL texture of ${width} × ${height} for transparent pixels`);
  } finally {
    // A page may have few contexts at a time.
    gl.getExtension("WEBGL_lose_context")?.loseContext();
  }
}

function noCanvas(name: string, what: string): BasicError {
  return new BasicError(
    "E_IMAGE",
    `image "${name}": this browser does not give ${what} to decode pictures with. ` +
      "Use a current Chromium, Firefox or Safari, or a picture without transparent pixels.",
  );
}
