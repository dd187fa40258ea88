import { crc32, deflateSync } from "node:zlib";
import fc from "fast-check";
import sharp from "sharp";
import { describe, expect, it } from "vitest";

import { rejection } from "../test/rejection.js";
import { decodeImage } from "./decode.js";
import { decodeSmallPng } from "./small-png.js";

interface Plain {
  readonly width: number;
  readonly height: number;
  /** Filter byte and filtered bytes of each line. */
  readonly lines: Uint8Array;
}

const SIGNATURE = Buffer.from("\x89PNG\r\n\x1a\n", "latin1");

function chunk(type: string, body: Uint8Array): Buffer {
  const typed = Buffer.concat([Buffer.from(type, "latin1"), body]);
  const frame = Buffer.alloc(8);
  frame.writeUInt32BE(body.length, 0);
  frame.writeUInt32BE(crc32(typed), 4);
  return Buffer.concat([frame.subarray(0, 4), typed, frame.subarray(4)]);
}

function header(width: number, height: number, kind = [8, 2, 0, 0, 0]): Buffer {
  const body = Buffer.alloc(13);
  body.writeUInt32BE(width, 0);
  body.writeUInt32BE(height, 4);
  body.set(kind, 8);
  return chunk("IHDR", body);
}

const END = chunk("IEND", Buffer.alloc(0));

function png({ width, height, lines }: Plain): Buffer {
  return Buffer.concat([SIGNATURE, header(width, height), chunk("IDAT", deflateSync(lines)), END]);
}

/** Lines of random bytes, each with a random filter. */
const plain = fc
  .record({ width: fc.integer({ min: 1, max: 9 }), height: fc.integer({ min: 1, max: 9 }) })
  .chain(({ width, height }) =>
    fc
      .array(
        fc.tuple(
          fc.integer({ min: 0, max: 4 }),
          fc.uint8Array({ minLength: 3 * width, maxLength: 3 * width }),
        ),
        { minLength: height, maxLength: height },
      )
      .map((rows) => ({
        width,
        height,
        lines: Uint8Array.from(rows.flatMap(([filter, row]) => [filter, ...row])),
      })),
  );

const ONE: Plain = { width: 1, height: 1, lines: Uint8Array.of(0, 10, 20, 30) };
const PIXELS = chunk("IDAT", deflateSync(ONE.lines));

describe("decodeSmallPng", () => {
  it("gives the pixels of the general decoder, whatever the filters", async () => {
    await fc.assert(
      fc.asyncProperty(plain, async (picture) => {
        const bytes = png(picture);
        const found = decodeSmallPng(bytes);
        expect(found?.pixels).toEqual(new Uint8Array(await sharp(bytes).raw().toBuffer()));
        expect([found?.width, found?.height]).toEqual([picture.width, picture.height]);
      }),
    );
  });

  it("reads files of other programs: several pieces, and a resolution", async () => {
    const pixels = Uint8Array.from({ length: 20 * 30 * 3 }, (_, i) => (7 * i) % 256);
    const raw = { width: 20, height: 30, channels: 3 } as const;
    const bytes = await sharp(pixels, { raw }).png({ adaptiveFiltering: true }).toBuffer();
    expect(decodeSmallPng(bytes)?.pixels).toEqual(pixels);
    const data = deflateSync(ONE.lines);
    const pieces = [chunk("IDAT", data.subarray(0, 5)), chunk("IDAT", data.subarray(5))];
    const cut = Buffer.concat([SIGNATURE, header(1, 1), ...pieces, END]);
    expect(decodeSmallPng(cut)?.pixels).toEqual(Uint8Array.of(10, 20, 30));
  });

  const flipped = png(ONE);
  flipped[flipped.length - 20] = (flipped.at(-20) as number) ^ 1;
  it.each([
    ["another number of bits", [SIGNATURE, header(1, 1, [16, 2, 0, 0, 0]), PIXELS, END]],
    ["a palette", [SIGNATURE, header(1, 1, [8, 3, 0, 0, 0]), PIXELS, END]],
    ["interlacing", [SIGNATURE, header(1, 1, [8, 2, 0, 0, 1]), PIXELS, END]],
    ["no pixels", [SIGNATURE, header(0, 1), PIXELS, END]],
    ["a large picture", [SIGNATURE, header(129, 128), PIXELS, END]],
    ["transparency", [SIGNATURE, header(1, 1), chunk("tRNS", Buffer.alloc(6)), PIXELS, END]],
    ["a rotation", [SIGNATURE, header(1, 1), chunk("eXIf", Buffer.alloc(6)), PIXELS, END]],
    ["too few pixels", [SIGNATURE, header(1, 2), PIXELS, END]],
    ["too many pixels", [SIGNATURE, header(1, 1), chunk("IDAT", deflateSync(new Uint8Array(9))), END]],
    [
      "a filter that there is not",
      [SIGNATURE, header(1, 1), chunk("IDAT", deflateSync(Uint8Array.of(5, 0, 0, 0))), END],
    ],
    ["pixels that are not deflated", [SIGNATURE, header(1, 1), chunk("IDAT", Buffer.alloc(9)), END]],
    ["no header", [SIGNATURE, PIXELS, END]],
    ["two headers", [SIGNATURE, header(1, 1), header(1, 1), PIXELS, END]],
    ["a header that is too short", [SIGNATURE, chunk("IHDR", Buffer.alloc(12)), PIXELS, END]],
    ["no end", [SIGNATURE, header(1, 1), PIXELS]],
    ["bytes behind the end", [SIGNATURE, header(1, 1), PIXELS, END, Buffer.alloc(1)]],
    ["a wrong checksum", [flipped]],
    ["nothing but a signature", [SIGNATURE]],
  ])("leaves %s to the general decoder", (_, pieces) => {
    expect(decodeSmallPng(Buffer.concat(pieces))).toBeNull();
  });

  it("never reads beyond a file that was cut off, which is refused by name", async () => {
    const bytes = png({ width: 2, height: 2, lines: new Uint8Array(14) });
    for (let length = 8; length < bytes.length; length++) {
      expect(decodeSmallPng(bytes.subarray(0, length))).toBeNull();
    }
    expect(await rejection(() => decodeImage(bytes.subarray(0, 50), "cut.png"))).toMatch(/cut\.png/);
  });
});
