import { describe, expect, it } from "vitest";

import { hostTensor, normalValues } from "./random-values.js";

describe("normalValues", () => {
  it("depends on the seed alone, and is exact in float32", () => {
    const values = normalValues(100, "a");
    expect(values).toEqual(normalValues(100, "a"));
    expect(values).not.toEqual(normalValues(100, "b"));
    expect(values.every((value) => Math.fround(value) === value)).toBe(true);
  });

  it("has mean 0 and the standard deviation that is asked for", () => {
    const values = normalValues(5000, "spread", 3);
    const mean = values.reduce((sum, value) => sum + value, 0) / values.length;
    const deviation = Math.sqrt(values.reduce((sum, value) => sum + value * value, 0) / values.length);
    expect(Math.abs(mean)).toBeLessThan(0.15);
    expect(Math.abs(deviation - 3)).toBeLessThan(0.15);
  });
});

describe("hostTensor", () => {
  it("takes given values, rounded to the dtype", () => {
    expect(hostTensor({ shape: [2], values: [0.1, 7] }, "x").values).toEqual([Math.fround(0.1), 7]);
    expect(hostTensor({ shape: [2], values: [1, -7], dtype: "int32" }, "x")).toEqual({
      shape: [2],
      values: [1, -7],
      dtype: "int32",
    });
  });

  it("draws as many values as the shape holds", () => {
    expect(hostTensor({ shape: [3, 4] }, "x").values.length).toBe(12);
    expect(hostTensor({ shape: [] }, "x").values.length).toBe(1);
    expect(hostTensor({ shape: [0, 4] }, "x").values).toEqual([]);
  });
});
