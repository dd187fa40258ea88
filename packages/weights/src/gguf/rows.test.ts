import fc from "fast-check";
import { expect, it } from "vitest";

import { reorderRows, rotaryRows } from "./rows.js";

it("puts pairs of neighbours into halves, head by head", () => {
  expect([...rotaryRows(12, 6)]).toEqual([0, 2, 4, 1, 3, 5, 6, 8, 10, 7, 9, 11]);
});

it("undoes llama.cpp's order: reshape to [heads, 2, half], swap, flatten", () => {
  fc.assert(
    fc.property(fc.integer({ min: 1, max: 5 }), fc.integer({ min: 1, max: 16 }), (heads, half) => {
      const width = 2 * half;
      const ours = Uint8Array.from({ length: heads * width }, (_, row) => row);
      const stored = new Uint8Array(ours.length);
      for (let head = 0; head < heads; head++) {
        for (let j = 0; j < half; j++) {
          for (let part = 0; part < 2; part++) {
            stored[head * width + 2 * j + part] = ours[head * width + part * half + j] as number;
          }
        }
      }
      expect(reorderRows(stored, rotaryRows(ours.length, width))).toEqual(ours);
    }),
  );
});
