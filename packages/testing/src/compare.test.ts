import { describe, expect, it } from "vitest";

import { describeDifference, worstDifference } from "./compare.js";

const tolerance = { absolute: 0.1, relative: 0.01 };

describe("worstDifference", () => {
  it("allows the absolute part plus a share of the largest expected value", () => {
    expect(worstDifference([1.3, 100], [0.2, 100], tolerance)).toBeUndefined();
    expect(worstDifference([1.4, 100], [0.2, 100], tolerance)).toMatchObject({ index: 0, limit: 1.1 });
  });

  it("finds the worst of several", () => {
    expect(worstDifference([1, 3, 2], [0, 0, 0], tolerance)).toMatchObject({ index: 1, difference: 3 });
  });

  it("takes NaN and infinities as they are", () => {
    const odd = [Number.NaN, Number.POSITIVE_INFINITY, -0];
    expect(worstDifference(odd, [Number.NaN, Number.POSITIVE_INFINITY, 0], tolerance)).toBeUndefined();
    expect(worstDifference([Number.NaN], [1], tolerance)?.difference).toBe(Number.POSITIVE_INFINITY);
    expect(worstDifference([1], [Number.NaN], tolerance)?.difference).toBe(Number.POSITIVE_INFINITY);
    expect(worstDifference([Number.NEGATIVE_INFINITY], [1e30], tolerance)).toBeDefined();
  });

  it("counts a missing value as wrong", () => {
    expect(worstDifference([1], [1, 2], tolerance)?.index).toBe(1);
  });
});

describe("describeDifference", () => {
  it("names the place, both values, the difference and the limit", () => {
    const difference = worstDifference([1, 2.5], [1, 2], tolerance);
    expect(describeDifference("dx", difference)).toMatchInlineSnapshot(
      `"dx[1] is 2.5, expected 2: difference 5.00e-1 is over 1.20e-1"`,
    );
    expect(describeDifference("dx", undefined)).toBeUndefined();
  });
});
