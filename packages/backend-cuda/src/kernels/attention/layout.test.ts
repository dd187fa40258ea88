import { packedSamples } from "@basic-mllm/core/device";
import fc from "fast-check";
import { describe, expect, it } from "vitest";

import { firstCounting, keyTiles, queryTiles, type Tiles } from "./layout.js";

const lengths = fc.array(fc.nat({ max: 100 }), { minLength: 1, maxLength: 6 });
const tileRows = fc.constantFrom(8, 32, 64);

function offsetsOf(rows: readonly number[]): Int32Array {
  return Int32Array.from([0, ...rows].map((_, i) => rows.slice(0, i).reduce((sum, own) => sum + own, 0)));
}

function samplesOf(rows: readonly number[]) {
  const offsets = offsetsOf(rows);
  return packedSamples({ qOffsets: offsets, kvOffsets: offsets });
}

/** The numbers of each tile. */
function entriesOf({ entries, count }: Tiles): readonly (readonly number[])[] {
  expect(entries.length).toBe(6 * count);
  return Array.from({ length: count }, (_, i) => [...entries.subarray(6 * i, 6 * i + 6)]);
}

/** Numbers from `first` on. */
function run(first: number, count: number): readonly number[] {
  return Array.from({ length: count }, (_, i) => first + i);
}

describe("tiles", () => {
  it("cover each query row of each head of a group once, and each key row once", () => {
    fc.assert(
      fc.property(lengths, fc.integer({ min: 1, max: 5 }), tileRows, (rows, group, size) => {
        const samples = samplesOf(rows);
        const total = rows.reduce((sum, own) => sum + own, 0);
        const queries = entriesOf(queryTiles(samples, group, size)).flatMap(
          ([first = 0, start = 0, own = 0]) =>
            run(start * group + first, Math.min(size, own * group - first)),
        );
        expect(queries.toSorted((a, b) => a - b)).toEqual(run(0, total * group));
        const keys = entriesOf(keyTiles(samples, size)).flatMap(([first = 0, , , start = 0, own = 0]) =>
          run(start + first, Math.min(size, own - first)),
        );
        expect(keys).toEqual(run(0, total));
      }),
    );
  });

  it("of a sample's last query rows come first", () => {
    const tiles = entriesOf(queryTiles(samplesOf([100]), 1, 32));
    expect(tiles.map(([first]) => first)).toEqual([96, 64, 32, 0]);
  });

  it("of keys know the first query row of their sample that counts for any of them", () => {
    const receiveFrom = new Int32Array(90).fill(90);
    receiveFrom[5] = 9;
    receiveFrom[70] = 7;
    const first = entriesOf(keyTiles(samplesOf([2, 88]), 64, firstCounting(receiveFrom))).map(
      (entry) => entry[5],
    );
    expect(first).toEqual([2, 7, 5]);
  });
});
