import { describe, expect, it } from "vitest";

import { broadcastStrides, loopTable, mergedLoops, rowMajorStrides } from "./shapes.js";

describe("mergedLoops", () => {
  const broadcast = (shape: number[], a: number[], b: number[]) =>
    mergedLoops(shape, broadcastStrides(a, shape.length), broadcastStrides(b, shape.length));

  it("is one loop where both sides are whole, or one value", () => {
    expect(broadcast([2, 3, 4], [2, 3, 4], [2, 3, 4])).toEqual([{ size: 24, strides: [1, 1] }]);
    expect(broadcast([2, 3, 4], [], [2, 3, 4])).toEqual([{ size: 24, strides: [0, 1] }]);
    expect(broadcast([], [], [])).toEqual([{ size: 1, strides: [1, 1] }]);
  });

  it("leaves axes of one element out and merges what lies one after the other", () => {
    expect(broadcast([2, 1, 3, 4], [2, 1, 3, 4], [3, 4])).toEqual([
      { size: 2, strides: [12, 0] },
      { size: 12, strides: [1, 1] },
    ]);
  });

  it("gives a transposition its own loop for each axis that moves", () => {
    const strides = rowMajorStrides([2, 3, 4]);
    expect(mergedLoops([4, 2, 3], [1, strides[0] as number, strides[1] as number], [6, 3, 1])).toEqual([
      { size: 4, strides: [1, 6] },
      { size: 6, strides: [4, 1] },
    ]);
  });

  it("is written as size and strides of each loop", () => {
    expect([...loopTable(broadcast([3, 5], [5], [3, 1]))]).toEqual([3, 0, 1, 5, 1, 0]);
  });
});
