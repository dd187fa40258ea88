import { packedSamples } from "@basic-mllm/core/device";
import fc from "fast-check";
import { expect, it } from "vitest";

import { keyTiles, queryTiles } from "./layout.js";
import { overKeys, overQueries } from "./work.js";

it("counts the pairs that see each other, whichever side has the tiles", () => {
  const sizes = fc.record({
    rows: fc.array(fc.integer({ min: 0, max: 40 }), { minLength: 1, maxLength: 4 }),
    group: fc.integer({ min: 1, max: 3 }),
    window: fc.integer({ min: 0, max: 20 }),
    causal: fc.constantFrom(0, 1),
  });
  fc.assert(
    fc.property(sizes, ({ rows, group, window, causal }) => {
      const offsets = Int32Array.of(0, ...rows.map((_, i) => rows.slice(0, i + 1).reduce((a, b) => a + b)));
      const samples = packedSamples({ qOffsets: offsets, kvOffsets: offsets });
      let expected = 0;
      for (const count of rows) {
        for (let query = 0; query < count; query++) {
          const from = window === 0 ? 0 : Math.max(0, query - window + 1);
          expected += group * (causal === 0 ? count : query + 1 - from);
        }
      }
      const shape = { group, causal, window };
      const queries = overQueries({ ...shape, tiles: queryTiles(samples, group, 8).entries }, 8);
      const keys = overKeys({ ...shape, tiles: keyTiles(samples, 8).entries }, 8);
      expect([queries.pairs, keys.pairs]).toEqual([expected, expected]);
    }),
  );
});

it("counts the rows that tiles read", () => {
  const samples = packedSamples({ qOffsets: Int32Array.of(0, 20), kvOffsets: Int32Array.of(0, 20) });
  const causal = { group: 1, causal: 1, window: 0 };
  // Tiles of 8, 8 and 4 rows: keys up to the last row of each, queries from the first row of each.
  expect(overQueries({ ...causal, tiles: queryTiles(samples, 1, 8).entries }, 8).rows).toBe(8 + 16 + 20);
  expect(overKeys({ ...causal, tiles: keyTiles(samples, 8).entries }, 8).rows).toBe(20 + 12 + 4);
});
