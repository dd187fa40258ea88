import fc from "fast-check";
import { describe, expect, it } from "vitest";

import { packStep } from "./pack-rows.js";

/** Rows by index, and the micro-batches that the samples 0, 1, 2, ... become. */
function pack(rows: readonly number[], budget: number, multiple = 1): readonly (readonly number[])[] {
  const samples = Int32Array.from(rows.keys());
  return packStep(samples, (index) => rows[index] as number, { budget, multiple }).map((own) => [...own]);
}

const cases = fc.integer({ min: 1, max: 500 }).chain((budget) =>
  fc.record({
    budget: fc.constant(budget),
    rows: fc.array(fc.integer({ min: 1, max: budget }), { minLength: 1, maxLength: 60 }),
  }),
);
const sum = (numbers: readonly number[]): number => numbers.reduce((a, b) => a + b, 0);

describe("packStep", () => {
  it("fills micro-batches with the longest samples first, and keeps the order inside of them", () => {
    expect(pack([3, 6, 2, 4, 5], 10)).toEqual([
      [1, 3],
      [0, 2, 4],
    ]);
  });

  it("leaves a step that fits as it is, whatever the order of its samples", () => {
    const samples = Int32Array.of(7, 3, 9, 3);
    expect(packStep(samples, (index) => index, { budget: 22 })).toEqual([samples]);
    expect(packStep(samples, (index) => index, { budget: 21 })).toHaveLength(2);
  });

  it("gives a sample that is longer than the budget a micro-batch to itself", () => {
    expect(pack([3, 99, 3], 10)).toEqual([[1], [0, 2]]);
  });

  it("puts every sample into one micro-batch, within the budget, in few of them", () => {
    fc.assert(
      fc.property(cases, ({ rows, budget }) => {
        const packed = pack(rows, budget);
        expect(packed.flat().sort((a, b) => a - b)).toEqual([...rows.keys()]);
        const filled = packed.map((own) => sum(own.map((index) => rows[index] as number)));
        expect(Math.max(...filled)).toBeLessThanOrEqual(budget);
        expect(filled).toEqual(filled.toSorted((a, b) => b - a));
        for (const own of packed) expect(own).toEqual(own.toSorted((a, b) => a - b));
        // No two of them could be one.
        const [smallest = budget, second = budget] = filled.toReversed();
        expect(packed.length === 1 || smallest + second > budget).toBe(true);
        expect(pack(rows, budget)).toEqual(packed);
      }),
    );
  });

  it.each([2, 4, 0])("refuses 5 samples in a multiple of %i", (multiple) => {
    expect(() => pack([1, 1, 1, 1, 1], 1, multiple)).toThrow(
      `packStep: expected samples in a multiple of ${multiple} (\`multiple\`, the number of ranks), got 5. Give each rank as many samples. [E_CONFIG]`,
    );
  });

  it("gives ranks equal numbers of micro-batches, none of them empty", () => {
    const given = fc.tuple(cases, fc.integer({ min: 1, max: 5 }));
    fc.assert(
      fc.property(given, ([{ rows, budget }, ranks]) => {
        const even = rows.flatMap((count) => Array.from({ length: ranks }, () => count));
        const packed = pack(even, budget, ranks);
        expect(packed.length % ranks).toBe(0);
        expect(packed.flat().sort((a, b) => a - b)).toEqual([...even.keys()]);
        expect(Math.min(...packed.map(({ length }) => length))).toBeGreaterThan(0);
        expect(packed.length - pack(even, budget).length).toBeLessThan(ranks);
      }),
    );
  });
});
