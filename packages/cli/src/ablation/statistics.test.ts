import { describe, expect, it } from "vitest";

import { incompleteBeta, pairedTTest, spreadOf, studentTwoSided } from "./statistics.js";

describe("incompleteBeta", () => {
  it("has the values of closed forms", () => {
    expect(incompleteBeta(0.3, 1, 1)).toBeCloseTo(0.3, 13);
    expect(incompleteBeta(0.3, 3, 1)).toBeCloseTo(0.3 ** 3, 13);
    expect(incompleteBeta(0.3, 1, 4)).toBeCloseTo(1 - 0.7 ** 4, 13);
    expect(incompleteBeta(0.3, 0.5, 0.5)).toBeCloseTo((2 / Math.PI) * Math.asin(Math.sqrt(0.3)), 13);
    expect(incompleteBeta(0.6, 2, 3)).toBeCloseTo(0.8208, 12);
  });

  it("is 0 and 1 at the ends and symmetric in between", () => {
    expect([incompleteBeta(0, 2, 3), incompleteBeta(1, 2, 3)]).toEqual([0, 1]);
    for (const x of [0.01, 0.37, 0.8]) {
      expect(incompleteBeta(x, 2.5, 7)).toBeCloseTo(1 - incompleteBeta(1 - x, 7, 2.5), 13);
    }
  });
});

describe("studentTwoSided", () => {
  it("has the closed forms of one, two and three degrees of freedom", () => {
    for (const t of [0, 0.5, 2, -7]) {
      const size = Math.abs(t);
      expect(studentTwoSided(t, 1)).toBeCloseTo(1 - (2 / Math.PI) * Math.atan(size), 12);
      expect(studentTwoSided(t, 2)).toBeCloseTo(1 - size / Math.sqrt(2 + size * size), 12);
      const angle = Math.atan(size / Math.sqrt(3));
      expect(studentTwoSided(t, 3)).toBeCloseTo(
        1 - (2 / Math.PI) * (angle + Math.sin(angle) * Math.cos(angle)),
        12,
      );
    }
  });

  it("gives 0.05 at the critical values of tables", () => {
    const critical = { 4: 2.776445, 9: 2.262157, 30: 2.042272 };
    for (const [df, t] of Object.entries(critical))
      expect(studentTwoSided(t, Number(df))).toBeCloseTo(0.05, 6);
  });
});

describe("pairedTTest", () => {
  it("tests differences against 0", () => {
    // By hand: mean 2, deviation 1, t = 2 / (1 / √3) with two degrees of freedom.
    const t = 2 * Math.sqrt(3);
    expect(pairedTTest([1, 2, 3])).toEqual({
      mean: 2,
      df: 2,
      t: expect.closeTo(t, 12),
      p: expect.closeTo(1 - t / Math.sqrt(2 + t * t), 12),
    });
  });

  it("gives no p value for a single pair, and none at all for no pair", () => {
    expect(pairedTTest([0.5])).toEqual({ mean: 0.5, df: 0, t: null, p: null });
    expect(pairedTTest([])).toBeNull();
  });

  it("is certain where all differences are equal", () => {
    expect(pairedTTest([0, 0])).toMatchObject({ mean: 0, p: 1 });
    expect(pairedTTest([0.25, 0.25])).toMatchObject({ mean: 0.25, t: null, p: 0 });
  });
});

describe("spreadOf", () => {
  it("divides by n − 1, and has no spread for one value", () => {
    expect(spreadOf([1, 3])).toEqual({ mean: 2, spread: Math.SQRT2, n: 2 });
    expect(spreadOf([4])).toEqual({ mean: 4, spread: 0, n: 1 });
  });
});
