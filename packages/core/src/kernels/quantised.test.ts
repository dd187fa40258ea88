import fc from "fast-check";
import { describe, expect, it } from "vitest";

import { madeUp } from "../../test/central-differences.js";
import {
  type PackedStorage,
  packBf16,
  packers,
  packF16,
  packQ4_0,
  packQ4_1,
  packQ8_0,
  unpack,
  wordCount,
} from "./quantised.js";

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

describe("packF16", () => {
  it("keeps the nearest half, and two of them in a word", () => {
    expect(hex(packF16([1, -2, 1 / 3]))).toBe("00 3c 00 c0 55 35 00 00");
  });

  it("keeps infinities and NaN, and values below the smallest normal number", () => {
    const values = [Number.POSITIVE_INFINITY, Number.NEGATIVE_INFINITY, Number.NaN, -(2 ** -24), 3e-5];
    const back = Array.from(unpack("f16", packF16(values), 5));
    expect(back.slice(0, 4)).toEqual(values.slice(0, 4));
    expect(back[4]).toBe(503 * 2 ** -24);
  });

  it("refuses values that would become infinite", () => {
    expect(unpack("f16", packF16([65_519, -65_504]), 2)).toEqual(Float32Array.of(65_504, -65_504));
    expect(() => packF16([1, 1e39])).toThrow(/^1e\+39 is beyond/);
    expect(() => packF16([1, -65_520])).toThrowErrorMatchingInlineSnapshot(
      `[BasicError: -65520 is beyond the largest number of half precision, 65504. Store these weights as bf16 or f32. [E_WEIGHTS_FORMAT]]`,
    );
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
    ["f16", 2 ** -12],
  ] as const)("%s gives values back within half a step", (storage, bound) => {
    expect(roundTrip(storage, madeUp(96))).toBeLessThanOrEqual(bound);
  });

  it.each(["q8_0", "q4_0", "q4_1", "bf16", "f16"] as const)(
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

  it.each(["q8_0", "q4_0", "q4_1", "bf16", "f16"] as const)("%s keeps zeros exactly", (storage) => {
    expect(Array.from(unpack(storage, packers[storage](Array(64).fill(0)), 64), Math.abs)).toEqual(
      Array(64).fill(0),
    );
  });

  it("counts words with padding", () => {
    expect([
      wordCount("bf16", 3),
      wordCount("f16", 5),
      wordCount("q8_0", 32),
      wordCount("q4_0", 64),
      wordCount("q4_1", 32),
    ]).toEqual([2, 3, 9, 9, 5]);
  });

  it("refuses part of a block", () => {
    expect(() => packQ4_0([1, 2, 3])).toThrowErrorMatchingInlineSnapshot(
      `[BasicError: q4_0 stores blocks of 32 values, got 3 values. Use bf16, f16 or f32 for this weight. [E_WEIGHTS_FORMAT]]`,
    );
  });

  it("refuses too few words", () => {
    expect(() => unpack("q8_0", new Int32Array(8), 32)).toThrowErrorMatchingInlineSnapshot(
      `[BasicError: unpack: 32 q8_0 values need 9 words, got 8. [E_WEIGHTS_FORMAT]]`,
    );
  });
});
