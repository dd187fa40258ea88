import fc from "fast-check";
import { describe, expect, it } from "vitest";

import { planVocabulary, type Run } from "./plan.js";

const sizes = fc.record({
  rows: fc.nat({ max: 3000 }),
  words: fc.integer({ min: 1, max: 5000 }),
  chunkBytes: fc.integer({ min: 1, max: 2 ** 22 }),
});

/** Whether runs follow each other from 0 to `count`, and none is empty. */
function covers(runs: readonly Run[], count: number): boolean {
  const ends = runs.map(({ first, count: own }) => first + own);
  const joined = runs.every(({ first, count: own }, i) => own > 0 && first === (ends[i - 1] ?? 0));
  return joined && (ends.at(-1) ?? 0) === count;
}

describe("a plan of rows and words", () => {
  it("covers all of them, in blocks that keep to their bytes where they are larger than 64 x 64", () => {
    fc.assert(
      fc.property(sizes, ({ rows, words, chunkBytes }) => {
        const { rowRuns, wordRuns, logits } = planVocabulary({ rows, words, chunkBytes });
        expect(covers(rowRuns, rows)).toBe(true);
        expect(covers(wordRuns, words)).toBe(true);
        const largest = Math.max(0, ...rowRuns.map(({ count }) => count)) * (wordRuns[0]?.count ?? 0);
        expect(logits).toBeGreaterThanOrEqual(largest);
        expect(4 * largest).toBeLessThanOrEqual(Math.max(chunkBytes, 4 * 64 * 64));
      }),
    );
  });

  it("takes all words at once where 64 rows of them fit", () => {
    expect(planVocabulary({ rows: 300, words: 32_000, chunkBytes: 2 ** 24 })).toEqual({
      rowRuns: [
        { first: 0, count: 128 },
        { first: 128, count: 128 },
        { first: 256, count: 44 },
      ],
      wordRuns: [{ first: 0, count: 32_000 }],
      logits: 128 * 32_000,
    });
  });

  it("cuts the words of a large vocabulary", () => {
    const { rowRuns, wordRuns } = planVocabulary({ rows: 1500, words: 151_936, chunkBytes: 2 ** 24 });
    expect(rowRuns.map(({ count }) => count)).toEqual([1024, 476]);
    expect(wordRuns[0]).toEqual({ first: 0, count: 4096 });
  });
});
