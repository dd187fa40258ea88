import { describe, expect, it } from "vitest";

import type { PackedRows } from "../interfaces.js";
import { checkPackedRows, planVisualRows } from "./packed.js";

/** Two samples: `t I I t I t t` with two images, and `t t`. */
const packed: PackedRows = {
  ids: Int32Array.of(5, -1, -2, 6, -3, 7, 8, 9, 4),
  offsets: Int32Array.of(0, 7, 9),
  positions: Int32Array.of(0, 1, 2, 3, 4, 5, 6, 0, 1),
  images: [
    { sample: 0, start: 1, length: 2 },
    { sample: 0, start: 4, length: 1 },
  ],
  countsAsText: Int32Array.of(1, 0, 0, 1, 0, 1, 1, 1, 1),
  labels: new Int32Array(9).fill(-100),
};

describe("planVisualRows", () => {
  it("lets each visual row receive from the text of its sample after its own image", () => {
    const plan = planVisualRows(packed);
    expect([...plan.rows]).toEqual([1, 2, 4]);
    expect([...plan.counts]).toEqual([3, 3, 2]);
    expect([...plan.receiveFrom]).toEqual([9, 3, 3, 9, 5, 9, 9, 9, 9]);
  });

  it("lets an image without text after it receive nothing", () => {
    const last = {
      ...packed,
      ids: Int32Array.of(5, -1),
      offsets: Int32Array.of(0, 2),
      images: [{ sample: 0, start: 1, length: 1 }],
      countsAsText: Int32Array.of(1, 0),
    };
    const plan = planVisualRows(last);
    expect([[...plan.counts], [...plan.receiveFrom]]).toEqual([[0], [2, 2]]);
  });
});

describe("checkPackedRows", () => {
  it("accepts a batch that fits", () => {
    expect(() => checkPackedRows(packed, 10, 3)).not.toThrow();
  });

  it.each([
    ["too few visual embeddings", packed, 10, 2],
    ["a token outside of the vocabulary", packed, 9, 3],
    ["visual rows out of order", { ...packed, ids: packed.ids.map((id) => (id === -1 ? -2 : id)) }, 10, 3],
    [
      "a visual row outside of the images",
      { ...packed, ids: packed.ids.map((id) => (id === 9 ? -4 : id)) },
      10,
      3,
    ],
    ["positions of another length", { ...packed, positions: Int32Array.of(0) }, 10, 3],
    ["offsets that do not end at the last row", { ...packed, offsets: Int32Array.of(0, 7) }, 10, 3],
  ] as const)("refuses %s", (_, batch, vocabularySize, visualRows) => {
    expect(() => checkPackedRows(batch, vocabularySize, visualRows)).toThrowErrorMatchingSnapshot();
  });
});
