import { describe, expect, it } from "vitest";

import { createRandom } from "../random.js";
import { symmetricEigenvalues } from "./symmetric-eigenvalues.js";

function sorted(values: Float64Array): number[] {
  return [...values].sort((a, b) => a - b);
}

function expectClose(actual: readonly number[], expected: readonly number[]): void {
  expect(actual).toHaveLength(expected.length);
  for (const [i, value] of actual.entries()) expect(value).toBeCloseTo(expected[i] as number, 10);
}

describe("symmetricEigenvalues", () => {
  it("reads a diagonal off", () => {
    expectClose(sorted(symmetricEigenvalues(Float64Array.of(3, 0, 0, 0, -1, 0, 0, 0, 2), 3)), [-1, 2, 3]);
  });

  it("solves a 2 × 2 matrix", () => {
    expectClose(sorted(symmetricEigenvalues(Float64Array.of(2, 1, 1, 2), 2)), [1, 3]);
  });

  it("handles one value, zeros and equal eigenvalues", () => {
    expectClose(sorted(symmetricEigenvalues(Float64Array.of(5), 1)), [5]);
    expectClose(sorted(symmetricEigenvalues(new Float64Array(16), 4)), [0, 0, 0, 0]);
    const ones = new Float64Array(25).fill(1);
    expectClose(sorted(symmetricEigenvalues(ones, 5)), [0, 0, 0, 0, 5]);
  });

  it("finds the spectrum of a second difference matrix", () => {
    const n = 40;
    const matrix = new Float64Array(n * n);
    for (let i = 0; i < n; i++) {
      matrix[i * n + i] = 2;
      if (i > 0) matrix[i * n + i - 1] = -1;
      if (i < n - 1) matrix[i * n + i + 1] = -1;
    }
    const expected = Array.from({ length: n }, (_, k) => 2 - 2 * Math.cos(((k + 1) * Math.PI) / (n + 1)));
    expectClose(sorted(symmetricEigenvalues(matrix, n)), expected);
  });

  it("keeps the trace and the sum of squares of a random matrix", () => {
    const n = 30;
    const random = createRandom(3, "matrix");
    const matrix = new Float64Array(n * n);
    for (let i = 0; i < n; i++) {
      for (let j = 0; j <= i; j++) {
        matrix[i * n + j] = random.normal();
        matrix[j * n + i] = matrix[i * n + j] as number;
      }
    }
    const trace = Array.from({ length: n }, (_, i) => matrix[i * n + i] as number).reduce((a, b) => a + b);
    const squares = matrix.reduce((sum, value) => sum + value * value, 0);
    const values = symmetricEigenvalues(matrix, n);
    expect(values.reduce((a, b) => a + b)).toBeCloseTo(trace, 9);
    expect(values.reduce((sum, value) => sum + value * value, 0)).toBeCloseTo(squares, 8);
  });
});
