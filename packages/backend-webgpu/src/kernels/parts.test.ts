import fc from "fast-check";
import { expect, it } from "vitest";

import type { WebGpuBackend } from "../backend.js";
import { cut } from "./parts.js";
import { planVocabulary } from "./vocabulary/plan.js";

const small = fc.integer({ min: 0, max: 3000 });

it("cuts into runs that follow each other, each of a multiple but the last", () => {
  fc.assert(
    fc.property(small, small, fc.integer({ min: 1, max: 300 }), (count, most, multiple) => {
      const runs = cut(count, most, multiple);
      expect(runs.reduce((end, run) => (run.first === end ? end + run.count : Number.NaN), 0)).toBe(count);
      for (const run of runs) {
        expect(run.first % multiple).toBe(0);
        expect(run.count).toBeGreaterThan(0);
        expect(run.count).toBeLessThanOrEqual(Math.max(most, multiple));
      }
    }),
  );
});

/** A backend that has a limit and nothing else. */
function limited(maxStorageBufferBindingSize: number): WebGpuBackend {
  return { device: { limits: { maxStorageBufferBindingSize } } } as unknown as WebGpuBackend;
}

it("plans blocks of logits that stay within their bytes and within a binding", () => {
  const sizes = fc.record({
    rows: small,
    words: fc.integer({ min: 1, max: 5000 }),
    width: fc.integer({ min: 1, max: 64 }),
    chunkBytes: fc.integer({ min: 1, max: 2 ** 22 }),
  });
  fc.assert(
    fc.property(sizes, fc.integer({ min: 64 * 64 * 4, max: 2 ** 22 }), (size, limit) => {
      const { rowRuns, wordRuns, logits } = planVocabulary(limited(limit), size);
      const bytes = logits * 4;
      expect(bytes).toBeLessThanOrEqual(Math.max(size.chunkBytes, 64 * 64 * 4));
      expect(bytes).toBeLessThanOrEqual(limit);
      const end = (runs: typeof rowRuns) => runs.reduce((sum, { count }) => sum + count, 0);
      expect([end(rowRuns), end(wordRuns)]).toEqual([size.rows, size.words]);
      for (const { first, count } of wordRuns) {
        expect(count * size.width * 4).toBeLessThanOrEqual(limit);
        expect((first * size.width) % 64).toBe(0);
      }
      for (const { first, count } of rowRuns) {
        expect((first * size.width) % 64).toBe(0);
        expect(count * (wordRuns[0]?.count ?? 0)).toBeLessThanOrEqual(logits);
      }
    }),
    { examples: [[{ rows: 0, words: 4097, width: 1, chunkBytes: 1 }, 16_388]] },
  );
});

it("cuts the vocabulary of Qwen2 into bindings of 128 MiB", () => {
  const sizes = { rows: 700, words: 151_936, width: 896, chunkBytes: 16 * 2 ** 20 };
  const { rowRuns, wordRuns } = planVocabulary(limited(128 * 2 ** 20), sizes);
  expect(rowRuns).toEqual([{ first: 0, count: 700 }]);
  expect(wordRuns.length).toBe(Math.ceil(151_936 / 5952));
});
