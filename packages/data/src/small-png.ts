import { crc32, inflateSync } from "node:zlib";

import type { RgbImage } from "./resample.js";

/** At 128 x 128 this takes half of the general decoder's time, at 192 x 192 as much, and it blocks its thread. */
const MOST_PIXELS = 128 * 128;
const SIGNATURE_BYTES = 8;
/** Length, type and checksum of a chunk. */
const CHUNK_BYTES = 12;
const HEADER_BYTES = 13;
const CHANNELS = 3;

/**
 * Pixels of a small PNG file of the plainest kind: 8 bits, RGB, not interlaced, no chunks but header, pixels and resolution.
 *
 * @param bytes - A file that begins with the signature.
 * @returns null for every other file, also for one with damage: the general decoder knows what to say of it.
 * @see PNG specification, third edition, sections 5 and 9.
 */
export function decodeSmallPng(bytes: Uint8Array): RgbImage | null {
  const parts = readParts(bytes);
  const size = parts === null ? null : sizeOf(parts.header);
  if (parts === null || size === null) return null;
  const { width, height } = size;
  const expected = height * (1 + width * CHANNELS);
  const lines = inflated(parts.pixels, expected);
  if (lines?.length !== expected) return null;
  const pixels = new Uint8Array(width * height * CHANNELS);
  return unfilter(lines, pixels, width * CHANNELS) ? { pixels, width, height } : null;
}

/** Bodies of the chunks; null where there are others, or their order, length or checksum is wrong. */
function readParts(bytes: Uint8Array): { header: DataView; pixels: readonly Uint8Array[] } | null {
  const chunks = [...readChunks(bytes)];
  const [first, ...rest] = chunks.filter(({ type }) => type !== "pHYs");
  const last = rest.pop();
  if (first?.type !== "IHDR" || last?.type !== "IEND" || last.end !== bytes.length) return null;
  if (rest.some(({ type }) => type !== "IDAT")) return null;
  const { buffer, byteOffset, length } = first.body;
  return { header: new DataView(buffer, byteOffset, length), pixels: rest.map(({ body }) => body) };
}

/** The chunks up to the first that is cut off or has a wrong checksum. */
function* readChunks(bytes: Uint8Array): Generator<{ type: string; body: Uint8Array; end: number }> {
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  for (let at = SIGNATURE_BYTES; at + CHUNK_BYTES <= bytes.length; ) {
    const end = at + CHUNK_BYTES + view.getUint32(at);
    if (end > bytes.length || crc32(bytes.subarray(at + 4, end - 4)) !== view.getUint32(end - 4)) return;
    const type = String.fromCharCode(...bytes.subarray(at + 4, at + 8));
    yield { type, body: bytes.subarray(at + 8, end - 4), end };
    at = end;
  }
}

function sizeOf(header: DataView): { width: number; height: number } | null {
  if (header.byteLength !== HEADER_BYTES) return null;
  const [width, height] = [header.getUint32(0), header.getUint32(4)];
  // Bit depth 8, colour type 2 (RGB), then compression, filters and interlacing as always: 0.
  const isPlain = header.getUint32(8) === 0x08020000 && header.getUint8(12) === 0;
  return isPlain && width > 0 && height > 0 && width * height <= MOST_PIXELS ? { width, height } : null;
}

function inflated(pieces: readonly Uint8Array[], maxOutputLength: number): Uint8Array | null {
  try {
    return inflateSync(pieces.length === 1 ? (pieces[0] as Uint8Array) : Buffer.concat(pieces), {
      maxOutputLength,
    });
  } catch {
    return null;
  }
}

/** Undoes the filter of each line; false where one names a filter that there is not. */
function unfilter(lines: Uint8Array, pixels: Uint8Array, stride: number): boolean {
  for (let from = 0, to = 0; to < pixels.length; from += stride + 1, to += stride) {
    const filter = lines[from] as number;
    if (filter > 4) return false;
    for (let i = 0; i < stride; i++) {
      const left = i < CHANNELS ? 0 : (pixels[to + i - CHANNELS] as number);
      const up = to === 0 ? 0 : (pixels[to + i - stride] as number);
      const corner = to === 0 || i < CHANNELS ? 0 : (pixels[to + i - stride - CHANNELS] as number);
      pixels[to + i] = (lines[from + 1 + i] as number) + prediction(filter, left, up, corner);
    }
  }
  return true;
}

function prediction(filter: number, left: number, up: number, corner: number): number {
  if (filter === 0) return 0;
  if (filter === 1) return left;
  if (filter === 2) return up;
  if (filter === 3) return (left + up) >> 1;
  const [toLeft, toUp, toCorner] = [
    Math.abs(up - corner),
    Math.abs(left - corner),
    Math.abs(left + up - 2 * corner),
  ];
  if (toLeft <= toUp && toLeft <= toCorner) return left;
  return toUp <= toCorner ? up : corner;
}
