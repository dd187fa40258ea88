import type { ImageFormat } from "./image-format.js";
import type { ImageSize } from "./tiles.js";

/**
 * Width and height that the head of a file names, before any of its pixels is decoded; of a JPEG that is turned, as it is
 * stored. Null where the head is cut off, and for formats that only Node reads.
 */
export function sizeInHead(bytes: Uint8Array, format: ImageFormat): ImageSize | null {
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  try {
    switch (format) {
      case "png":
        return { width: view.getUint32(16), height: view.getUint32(20) };
      case "gif":
        return { width: view.getUint16(6, true), height: view.getUint16(8, true) };
      case "webp":
        return webpSize(view);
      case "jpeg":
        return jpegSize(view);
      case "avif":
        return avifSize(view);
      default:
        return null;
    }
  } catch (error) {
    if (error instanceof RangeError) return null;
    throw error;
  }
}

/** Of the first chunk: lossy, lossless, or extended. Source: RFC 9649. */
function webpSize(view: DataView): ImageSize | null {
  switch (view.getUint32(12)) {
    case tag("VP8 "):
      return { width: view.getUint16(26, true) & 0x3fff, height: view.getUint16(28, true) & 0x3fff };
    case tag("VP8L"): {
      const bits = view.getUint32(21, true);
      return { width: (bits & 0x3fff) + 1, height: ((bits >>> 14) & 0x3fff) + 1 };
    }
    case tag("VP8X"):
      return {
        width: (view.getUint32(24, true) & 0xffffff) + 1,
        height: (view.getUint32(26, true) >>> 8) + 1,
      };
    default:
      return null;
  }
}

/** Of the frame header, whichever of its kinds. Source: ITU T.81, B.1.1.3. */
function jpegSize(view: DataView): ImageSize | null {
  let at = 2;
  for (;;) {
    while (view.getUint8(at) === 0xff && view.getUint8(at + 1) === 0xff) at++;
    if (view.getUint8(at) !== 0xff) return null;
    const marker = view.getUint8(at + 1);
    const isFrame = marker >= 0xc0 && marker <= 0xcf && ![0xc4, 0xc8, 0xcc].includes(marker);
    if (isFrame) return { height: view.getUint16(at + 5), width: view.getUint16(at + 7) };
    at += 2 + view.getUint16(at + 2);
  }
}

/** The largest of the sizes that its boxes name: a grid has one for the whole, and one for its parts. */
function avifSize(view: DataView): ImageSize | null {
  const end = Math.min(view.byteLength - 16, 4096);
  let size: ImageSize | null = null;
  for (let at = 0; at < end; at++) {
    if (view.getUint32(at) !== tag("ispe")) continue;
    const found = { width: view.getUint32(at + 8), height: view.getUint32(at + 12) };
    if (size === null || found.width * found.height > size.width * size.height) size = found;
  }
  return size;
}

function tag(text: string): number {
  return [...text].reduce((word, letter) => word * 256 + letter.charCodeAt(0), 0);
}
