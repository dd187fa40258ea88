import { describe, expect, it } from "vitest";

import { hostLogits, hostLogSumExp, seededValues } from "./case-values.js";

describe("seededValues", () => {
  it("gives the same values for the same seed and others for another", () => {
    expect(seededValues(5, 3)).toEqual(seededValues(5, 3));
    expect(seededValues(5, 3)).not.toEqual(seededValues(5, 4));
  });

  it("has the standard deviation that is asked for, in float32", () => {
    const values = seededValues(4000, 1, 7);
    const squares = values.reduce((sum, value) => sum + value * value, 0);
    expect(Math.abs(Math.sqrt(squares / values.length) - 7)).toBeLessThan(0.4);
    expect(values.every((value) => Math.fround(value) === value)).toBe(true);
  });
});

describe("host logits", () => {
  it("are the products of all pairs of rows", () => {
    expect(hostLogits([1, 2, 3, 4], [1, 0, 0, 1, 1, 1], 2)).toEqual([
      [1, 2, 3],
      [3, 4, 7],
    ]);
    expect(hostLogits([], [1, 2], 2)).toEqual([]);
  });

  it("have a log-sum-exp without overflow", () => {
    expect(hostLogSumExp([1000, 1000])).toBeCloseTo(1000 + Math.log(2), 10);
  });
});
