// Damaged pictures of every format end in pixels or in a BasicError, soon, and within the memory of their pixels.
import { readFileSync } from "node:fs";
import { crc32 } from "node:zlib";

import { BasicError } from "@basic-mllm/core";
import fc from "fast-check";
import { describe, expect, it } from "vitest";

import { damaged } from "../../weights/test/mutations.js";
import { decodeImage } from "../src/decode.js";
import { recordedFile } from "./decode-golden.js";

/** Of each file; a format has two. */
const RUNS = 5000;
const PIXELS = 2 ** 20;
/** One picture at the limit in all the forms that it takes on its way, and the decoders' own needs. */
const MEMORY = 400e6;
const PATIENCE_MS = 20_000;

const FILES = [
  ["PNG", "rgba16.png", "palette_alpha.png"],
  ["JPEG", "progressive.jpg", "cmyk.jpg"],
  ["WebP", "lossy.webp", "moving_alpha.webp"],
  ["GIF", "moving.gif", "small_frame_transparent.gif"],
  ["TIFF", "rgb.tif", "cmyk.tif"],
] as const;

/** Rejects where a decoder hangs. */
async function soon<Result>(work: Promise<Result>): Promise<Result> {
  let timer: NodeJS.Timeout | undefined;
  const late = new Promise<never>((_, reject) => {
    timer = setTimeout(() => reject(new Error(`no answer after ${PATIENCE_MS} ms`)), PATIENCE_MS);
  });
  try {
    return await Promise.race([work, late]);
  } finally {
    clearTimeout(timer);
  }
}

/** A PNG whose chunks have the right checksums again, so that damage gets past them. */
function checksummed(bytes: Uint8Array): Uint8Array {
  const fixed = bytes.slice();
  const view = new DataView(fixed.buffer);
  for (let at = 8; at + 12 <= fixed.length; ) {
    const length = view.getUint32(at);
    if (at + 12 + length > fixed.length) break;
    view.setUint32(at + 8 + length, crc32(fixed.subarray(at + 4, at + 8 + length)));
    at += 12 + length;
  }
  return fixed;
}

describe.each(FILES)("10,000 damaged pictures of %s", (format, ...names) => {
  it.each(names)("are decoded or refused (%s)", async (name) => {
    const whole = new Uint8Array(readFileSync(recordedFile(name)));
    const background = fc.constantFrom(undefined, "white" as const);
    const before = process.memoryUsage().rss;
    let [most, refused, decoded] = [before, 0, 0];
    const inputs = [damaged(whole), fc.boolean(), background] as const;
    const property = fc.asyncProperty(...inputs, async (bytes, repaired, ground) => {
      const file = format === "PNG" && repaired ? checksummed(bytes) : bytes;
      try {
        const options = { pixelLimit: PIXELS, background: ground };
        const { pixels, width, height } = await soon(decodeImage(file, name, options));
        expect(pixels).toHaveLength(width * height * 3);
        expect(width * height).toBeLessThanOrEqual(PIXELS);
        decoded++;
      } catch (error) {
        if (!(error instanceof BasicError)) throw error;
        expect(error.code).toBe("E_IMAGE");
        refused++;
      }
      most = Math.max(most, process.memoryUsage().rss);
    });
    await fc.assert(property, { numRuns: RUNS, seed: 17 });
    expect(refused).toBeGreaterThan(RUNS / 10);
    expect(decoded).toBeGreaterThan(0);
    expect(most - before).toBeLessThan(MEMORY);
  });
});
