import { expect, it } from "vitest";

import { bicubicWeights } from "./interpolate.js";

it("is the identity when the grid stays", () => {
  expect([...bicubicWeights([2, 2], [2, 2])]).toEqual([1, 0, 0, 0, 0, 1, 0, 0, 0, 0, 1, 0, 0, 0, 0, 1]);
});

it("has rows that sum to 1, so that a constant stays constant", () => {
  const weights = bicubicWeights([4, 4], [6, 5]);
  for (let row = 0; row < 30; row++) {
    const sum = weights.subarray(row * 16, (row + 1) * 16).reduce((total, weight) => total + weight, 0);
    expect(sum).toBeCloseTo(1, 6);
  }
});
