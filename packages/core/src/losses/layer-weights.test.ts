import { describe, expect, it } from "vitest";

import { layerWeights, supervisedDepth } from "./layer-weights.js";

describe("layerWeights", () => {
  it("grows with the square of the block by default", () => {
    expect(layerWeights(3)).toEqual([1 / 14, 4 / 14, 9 / 14]);
  });

  it("is the same for every block when constant, and reversed when decreasing", () => {
    expect(layerWeights(4, "constant")).toEqual([0.25, 0.25, 0.25, 0.25]);
    expect(layerWeights(3, "decreasing")).toEqual([9 / 14, 4 / 14, 1 / 14]);
  });

  it("is 1 for a single block under every scheme", () => {
    for (const scheme of ["increasing", "constant", "decreasing"] as const) {
      expect(layerWeights(1, scheme)).toEqual([1]);
    }
  });

  it.each([0, -1, 1.5, Number.NaN])("refuses %s blocks", (k) => {
    expect(() => layerWeights(k)).toThrow(/must be an integer of at least 1, got .*\[E_CONFIG\]/);
  });

  it("says how to fix a bad number of blocks", () => {
    expect(() => layerWeights(0)).toThrowErrorMatchingInlineSnapshot(
      `[BasicError: layerWeights: the number of supervised blocks must be an integer of at least 1, got 0. Leave \`depth\` out to supervise the first half of the blocks. [E_CONFIG]]`,
    );
  });
});

describe("supervisedDepth", () => {
  it("is half of the blocks, rounded down, and at least one", () => {
    expect([1, 2, 3, 4, 32, 40].map(supervisedDepth)).toEqual([1, 1, 1, 2, 16, 20]);
  });
});
