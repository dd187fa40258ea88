import fc from "fast-check";
import { expect, it } from "vitest";

import { createFinding, createSpread, FIRST_CASES } from "./findings.js";

it("counts all cases and keeps the first ones", () => {
  const finding = createFinding();
  for (let i = 0; i < FIRST_CASES + 5; i++) finding.add(`${i}`);
  const { count, examples } = finding.result();
  expect([count, examples.length, examples[0], examples.at(-1)]).toEqual([
    FIRST_CASES + 5,
    FIRST_CASES,
    "0",
    `${FIRST_CASES - 1}`,
  ]);
});

it("has the least, the middle and the greatest of any lengths", () => {
  fc.assert(
    fc.property(fc.array(fc.nat(20), { minLength: 1 }), (lengths) => {
      const spread = createSpread();
      for (const length of lengths) spread.add(length);
      const sorted = lengths.toSorted((a, b) => a - b);
      expect(spread.result()).toEqual({
        min: sorted[0],
        median: sorted[sorted.length >> 1],
        max: sorted.at(-1),
      });
    }),
  );
  expect(createSpread().result()).toEqual({ min: 0, median: 0, max: 0 });
});
