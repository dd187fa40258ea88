import fc from "fast-check";
import { describe, expect, it } from "vitest";

import { bfloatOfBits, floatBits, floatOfBits, floatToHalf, halfOfBits, halfToFloat } from "./halves.js";

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

  it("is the nearest one", () => {
    const near = fc
      .integer({ min: 0, max: 0xffff })
      .chain((half) =>
        fc
          .integer({ min: -0x2001, max: 0x2001 })
          .map((step) => floatOfBits(floatBits(halfToFloat(half)) + step)),
      );
    fc.assert(
      fc.property(fc.oneof(near, fc.float({ min: -65_504, max: 65_504 })), (value) => {
        fc.pre(Math.abs(value) <= 65_504);
        const half = floatToHalf(value);
        expect(halfOfBits(floatBits(value))).toBe(half);
        const error = Math.abs(halfToFloat(half) - value);
        const away = [-1, 1].map((step) => Math.abs(halfToFloat(half + step) - value));
        for (const [i, other] of away.entries()) {
          // -0 and 0 have no neighbour on their other side.
          if ((half & 0x7fff) === 0 && i === 0) continue;
          expect(error).toBeLessThanOrEqual(other);
          if (error === other) expect(half & 1).toBe(0);
        }
      }),
      { seed: 1, numRuns: 5000 },
    );
  });
});

describe("bfloat16", () => {
  it("is the upper half of a float32, rounded to nearest even", () => {
    const bits = [0x3f80_8000, 0x3f81_8000, 0x3f80_8001, 0xff80_0000, 0x7f80_0001, 0x7f7f_ffff];
    expect(bits.map(bfloatOfBits)).toEqual([0x3f80, 0x3f82, 0x3f81, 0xff80, 0x7fc0, 0x7f80]);
  });
});
