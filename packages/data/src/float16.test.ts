import { describe, expect, it } from "vitest";

import { fromHalf, toHalf } from "./float16.js";

function roundTrip(values: readonly number[]): number[] {
  const target = new Float32Array(values.length);
  fromHalf(toHalf(Float32Array.from(values)), target);
  return [...target];
}

describe("half floats", () => {
  it("keep what they can hold", () => {
    const exact = [0, 1, -2, 0.5, 65504, 2 ** -14, 2 ** -24, 1 + 1 / 1024];
    expect(roundTrip(exact)).toEqual(exact);
  });

  it("round to nearest, halves to even", () => {
    const step = 1 / 1024;
    expect(roundTrip([1 + step / 2, 1 + 1.5 * step, 1 + 0.6 * step])).toEqual([1, 1 + 2 * step, 1 + step]);
    expect(roundTrip([2 ** -25, 1.5 * 2 ** -24])).toEqual([0, 2 ** -23]);
    const subnormals = [1.01 * 2 ** -25, -3.5 * 2 ** -24, 1023.5 * 2 ** -24, 2 ** -26, 2 ** -130];
    expect(roundTrip(subnormals)).toEqual([2 ** -24, -4 * 2 ** -24, 2 ** -14, 0, 0]);
  });

  it("turn what is too large into infinity and keep not-a-number", () => {
    expect(roundTrip([65519, 65520, -1e9])).toEqual([
      65504,
      Number.POSITIVE_INFINITY,
      Number.NEGATIVE_INFINITY,
    ]);
    expect(roundTrip([Number.NaN])).toEqual([Number.NaN]);
  });

  it("are within a thousandth of any ordinary number", () => {
    for (let i = 1; i < 500; i++) {
      const value = Math.sin(i) * 10 ** (i % 5);
      expect(Math.abs((roundTrip([value])[0] as number) - value)).toBeLessThanOrEqual(
        Math.max(Math.abs(value) / 2048, 2 ** -25),
      );
    }
  });
});
