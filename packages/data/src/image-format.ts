import { BasicError } from "@basic-mllm/core";

/** How a picture file becomes pixels. */
export interface DecodeOptions {
  /** What stands behind transparent pixels. Default: transparency is dropped, as Pillow's `convert("RGB")` does. */
  readonly background?: "white" | undefined;
  /** Largest number of pixels of a picture. Default {@link PIXEL_LIMIT}. */
  readonly pixelLimit?: number | undefined;
  /** Whether SVG drawings are read, at the size that they name. Default false: they may hold anything. */
  readonly svg?: boolean | undefined;
}

/** Pixels beyond which Pillow speaks of a decompression bomb too: 2 · 1024³ / 12. */
export const PIXEL_LIMIT = 178_956_970;

/** File formats of pictures. */
export type ImageFormat = "png" | "jpeg" | "webp" | "gif" | "tiff" | "avif" | "svg";

const READ = "a PNG, JPEG, WebP, GIF, TIFF or AVIF file";
/** Bytes of a text in which `<svg` is looked for. */
const SVG_HEAD = 1024;

/** By the first bytes; null for what is no picture that we read. */
export function imageFormat(bytes: Uint8Array): ImageFormat | null {
  const head = latin(bytes, 0, 16);
  if (head.startsWith("\x89PNG\r\n\x1a\n")) return "png";
  if (head.startsWith("\xff\xd8\xff")) return "jpeg";
  if (head.startsWith("GIF87a") || head.startsWith("GIF89a")) return "gif";
  if (head.startsWith("RIFF") && head.slice(8, 12) === "WEBP") return "webp";
  if (["II*\0", "MM\0*", "II+\0", "MM\0+"].some((magic) => head.startsWith(magic))) return "tiff";
  if (head.slice(4, 8) === "ftyp" && /^avi[fs]/.test(head.slice(8))) return "avif";
  const text = latin(bytes, 0, SVG_HEAD).trimStart();
  return text.replace(/^\xef\xbb\xbf/, "").startsWith("<") && text.includes("<svg") ? "svg" : null;
}

function latin(bytes: Uint8Array, start: number, end: number): string {
  return String.fromCharCode(...bytes.subarray(start, end));
}

/**
 * The format of a file that may be decoded.
 *
 * @throws `BasicError` `E_IMAGE` for an empty file, a format that is not read, and SVG unless asked for.
 */
export function readableFormat(bytes: Uint8Array, name: string, { svg = false }: DecodeOptions): ImageFormat {
  const format = imageFormat(bytes);
  if (format !== null && (format !== "svg" || svg)) return format;
  if (bytes.length === 0) throw imageError(name, `expected ${READ}, got an empty file. Replace the file`);
  if (format === "svg") {
    throw imageError(
      name,
      `expected ${READ}, got an SVG drawing, which is text that may hold anything. ` +
        "Convert it to PNG, allow drawings with svg: true where you trust them",
    );
  }
  const first = Array.from(bytes.subarray(0, 8), (byte) => byte.toString(16).padStart(2, "0")).join(" ");
  throw imageError(
    name,
    `expected ${READ}, got ${bytes.length} bytes that begin with ${first}. Replace the file`,
  );
}

/** @throws `BasicError` `E_IMAGE` for a picture without pixels, and for one of more than may be decoded. */
export function checkPixels(
  { width, height }: { readonly width: number; readonly height: number },
  name: string,
  { pixelLimit = PIXEL_LIMIT }: DecodeOptions,
): void {
  const pixels = width * height;
  if (!(pixels > 0)) throw imageError(name, "it has no pixels. Replace the file");
  if (pixels <= pixelLimit) return;
  throw imageError(
    name,
    `expected at most ${pixelLimit} pixels, got ${width} × ${height} = ${pixels}. ` +
      "Make the picture smaller, raise pixelLimit where that is meant",
  );
}

/** The error of bytes that a decoder gave up on. */
export function undecodable(bytes: Uint8Array, name: string, cause: unknown): BasicError {
  const reason = (cause instanceof Error ? cause.message : String(cause)).split("\n")[0]?.trim();
  return imageError(
    name,
    `expected ${READ}, got ${bytes.length} bytes that cannot be decoded (${reason}). Replace the file`,
    cause,
  );
}

/** @param text - Without the end of its last sentence. */
export function imageError(name: string, text: string, cause?: unknown): BasicError {
  const policy = 'or set onImageError to "skip-and-count".';
  return new BasicError("E_IMAGE", `image "${name}": ${text}, ${policy}`, { cause });
}
