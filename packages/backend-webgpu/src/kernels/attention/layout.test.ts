import { packedSamples } from "@basic-mllm/core/device";
import fc from "fast-check";
import { describe, expect, it } from "vitest";

import { firstCounting, keyTiles, queryTiles, type Tiles } from "./layout.js";
import { TILE } from "./tiles.wgsl.js";

const lengths = fc.array(fc.nat({ max: 100 }), { minLength: 1, maxLength: 6 });

function offsetsOf(rows: readonly number[]): Int32Array {
  return Int32Array.from([0, ...rows].map((_, i) => rows.slice(0, i).reduce((sum, own) => sum + own, 0)));
}

/** The numbers of each tile. */
function entriesOf({ entries, count }: Tiles): readonly (readonly number[])[] {
  expect(entries.length).toBe(6 * count);
  return Array.from({ length: count }, (_, i) => [...entries.subarray(6 * i, 6 * i + 6)]);
}

describe("tiles", () => {
  it("cover each query row of each head of a group once, and each key row once", () => {
    fc.assert(
      fc.property(lengths, fc.integer({ min: 1, max: 5 }), (rows, group) => {
        const offsets = offsetsOf(rows);
        const samples = packedSamples({ qOffsets: offsets, kvOffsets: offsets });
        const total = offsets.at(-1) ?? 0;
        const covered = entriesOf(queryTiles(samples, group)).flatMap(([first = 0, start = 0, queries = 0]) =>
          Array.from(
            { length: Math.min(TILE, queries * group - first) },
            (_, i) => start * group + first + i,
          ),
        );
        expect(covered).toEqual(Array.from({ length: total * group }, (_, i) => i));
        const keys = entriesOf(keyTiles(samples)).flatMap(([first = 0, , , start = 0, own = 0]) =>
          Array.from({ length: Math.min(TILE, own - first) }, (_, i) => start + first + i),
        );
        expect(keys).toEqual(Array.from({ length: total }, (_, i) => i));
      }),
    );
  });

  it("of keys know the first query row of their sample that counts for any of them", () => {
    const samples = packedSamples({ qOffsets: Int32Array.of(0, 2, 50), kvOffsets: Int32Array.of(0, 2, 50) });
    const receiveFrom = new Int32Array(50).fill(50);
    receiveFrom[5] = 9;
    receiveFrom[30] = 7;
    const first = entriesOf(keyTiles(samples, firstCounting(receiveFrom))).map((entry) => entry[5]);
    expect(first).toEqual([2, 5, 48]);
  });
});
