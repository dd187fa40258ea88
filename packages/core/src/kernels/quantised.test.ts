import fc from "fast-check";
import { describe, expect, it } from "vitest";

import { madeUp } from "../../test/central-differences.js";
import {
  floatToHalf,
  halfToFloat,
  type PackedStorage,
  packBf16,
  packQ4_0,
  packQ4_1,
  packQ8_0,
  unpack,
  wordCount,
} from "./quantised.js";

const packers = { bf16: packBf16, q8_0: packQ8_0, q4_0: packQ4_0, q4_1: packQ4_1 };

/** The bytes of the words, as hexadecimal. */
function hex(words: Int32Array): string {
  const view = new DataView(new ArrayBuffer(words.length * 4));
  for (const [i, word] of words.entries()) view.setInt32(i * 4, word, true);
  return Array.from({ length: view.byteLength }, (_, i) =>
    view.getUint8(i).toString(16).padStart(2, "0"),
  ).join(" ");
}

/** Largest error of a round trip. */
function roundTrip(storage: PackedStorage, values: readonly number[]): number {
  const back = unpack(storage, packers[storage](values), values.length);
  return Math.max(...values.map((value, i) => Math.abs(value - (back[i] as number))));
}

describe("half precision", () => {
  it.each([
    [0, 0x0000],
    [-0, 0x8000],
    [1, 0x3c00],
    [-2, 0xc000],
    [65_504, 0x7bff],
    [65_520, 0x7c00],
    [Number.NEGATIVE_INFINITY, 0xfc00],
    [2 ** -14, 0x0400],
    [2 ** -24, 0x0001],
    [2 ** -26, 0x0000],
    [1 + 2 ** -11, 0x3c00],
    [1 + 3 * 2 ** -11, 0x3c02],
    [2047.9999, 0x6800],
    [1 / 3, 0x3555],
  ])("writes %f as it should", (value, bits) => {
    expect(floatToHalf(value)).toBe(bits);
  });

  it("reads back every number it can write", () => {
    const wrong = Array.from({ length: 65_536 }, (_, bits) => bits).filter((bits) => {
      const value = halfToFloat(bits);
      return Number.isNaN(value) ? floatToHalf(value) !== 0x7e00 : floatToHalf(value) !== bits;
    });
    expect(wrong).toEqual([]);
  });
});

describe("packBf16", () => {
  it("keeps the upper half of the float, rounded to nearest even", () => {
    const values = [1, -2, 1 + 2 ** -8, 1 + 3 * 2 ** -8, 3.14159274];
    expect(hex(packBf16(values))).toBe("80 3f 00 c0 80 3f 82 3f 49 40 00 00");
  });

  it("keeps infinities and NaN", () => {
    const back = unpack(
      "bf16",
      packBf16([Number.POSITIVE_INFINITY, Number.NEGATIVE_INFINITY, Number.NaN]),
      3,
    );
    expect(Array.from(back)).toEqual([Number.POSITIVE_INFINITY, Number.NEGATIVE_INFINITY, Number.NaN]);
  });
});

describe("block formats", () => {
  it("writes q8_0 as a half scale and 32 signed bytes", () => {
    const values = Array.from({ length: 32 }, (_, i) => (i === 0 ? 127 : i === 1 ? -127 : i - 2));
    const bytes = [
      "00 3c",
      "7f 81",
      ...Array.from({ length: 30 }, (_, i) => i.toString(16).padStart(2, "0")),
    ];
    expect(hex(packQ8_0(values))).toBe([...bytes, "00 00"].join(" "));
  });

  it("writes q4_0 with value i in the low and value i + 16 in the high half of byte i", () => {
    const values = Array.from({ length: 32 }, (_, i) => (i === 0 ? -8 : i === 16 ? 7 : i === 17 ? 1 : 0));
    const bytes = ["00 3c", "f0", "98", ...Array(14).fill("88"), "00 00"];
    expect(hex(packQ4_0(values))).toBe(bytes.join(" "));
  });

  it("writes q4_1 with a half scale, a half minimum and levels above it", () => {
    const values = Array.from({ length: 32 }, (_, i) => (i === 0 ? 17 : i === 17 ? 4 : 2));
    const bytes = ["00 3c", "00 40", "0f", "20", ...Array(14).fill("00")];
    expect(hex(packQ4_1(values))).toBe(bytes.join(" "));
  });

  it.each([
    // Half of a step, plus the scale's own rounding of 2^-11 at the largest level.
    ["q8_0", 0.5 / 127 + 2 ** -11],
    ["q4_0", 1 / 8 + 2 ** -11],
    ["q4_1", 1 / 15 + 2 ** -10],
    ["bf16", 2 ** -9],
  ] as const)("%s gives values back within half a step", (storage, bound) => {
    expect(roundTrip(storage, madeUp(96))).toBeLessThanOrEqual(bound);
  });

  it.each(["q8_0", "q4_0", "q4_1", "bf16"] as const)(
    "%s packs its own values to the same words",
    (storage) => {
      const blocks = fc.array(fc.integer({ min: -2000, max: 2000 }), { minLength: 32, maxLength: 32 });
      fc.assert(
        fc.property(blocks, (block) => {
          const values = block.map((value) => value / 64);
          const words = packers[storage](values);
          expect(packers[storage](unpack(storage, words, 32))).toEqual(words);
        }),
        { seed: 1, numRuns: 100 },
      );
    },
  );

  it.each(["q8_0", "q4_0", "q4_1", "bf16"] as const)("%s keeps zeros exactly", (storage) => {
    expect(Array.from(unpack(storage, packers[storage](Array(64).fill(0)), 64), Math.abs)).toEqual(
      Array(64).fill(0),
    );
  });

  it("counts words with padding", () => {
    expect([
      wordCount("bf16", 3),
      wordCount("q8_0", 32),
      wordCount("q4_0", 64),
      wordCount("q4_1", 32),
    ]).toEqual([2, 9, 9, 5]);
  });

  it("refuses part of a block", () => {
    expect(() => packQ4_0([1, 2, 3])).toThrowErrorMatchingInlineSnapshot(
      `[BasicError: q4_0 stores blocks of 32 values, got 3 values. Use bf16 or f32 for this weight. [E_WEIGHTS_FORMAT]]`,
    );
  });

  it("refuses too few words", () => {
    expect(() => unpack("q8_0", new Int32Array(8), 32)).toThrowErrorMatchingInlineSnapshot(
      `[BasicError: unpack: 32 q8_0 values need 9 words, got 8. [E_WEIGHTS_FORMAT]]`,
    );
  });
});
