import { describe, expect, it } from "vitest";

import { regressionRecipe } from "../../test/regression.js";
import type { RecipeStage } from "../recipe.js";
import { createBatchSource } from "./batches.js";
import { type Collective, singleProcess } from "./collective.js";

const STEPS = 5;

/** Micro-batches as lists of samples, whose rows are given, of the first step or of all. */
async function packedSteps(rows: readonly number[], change: Partial<RecipeStage>, ranks = 1) {
  const given = { packing: "rows" as const, batchSize: 4, accumulate: 2, rowBudget: 10, ...change };
  const stage = { ...(regressionRecipe().stages["align"] as RecipeStage), ...given };
  const data = {
    size: rows.length,
    sizes: () => ({ rows, visual: rows.map(() => 1), id: (index: number) => `picture-${index}` }),
    batch: async (indices: Int32Array) => [...indices],
  };
  const sources = Array.from({ length: ranks }, (_, rank) => {
    const collective: Collective = { ...singleProcess, rank, size: ranks };
    return createBatchSource({ data, seed: 1, stageName: "align", stage, steps: STEPS, collective });
  });
  return Promise.all(
    Array.from({ length: STEPS }, (_, step) => Promise.all(sources.map((source) => source.take(step)))),
  );
}

/** A source whose batches are their steps; `asked`: the steps that the data was asked for, in order. */
function open(change: Partial<RecipeStage>, badStep = STEPS) {
  const asked: number[] = [];
  const batch = async (_: Int32Array, { step }: { readonly step: number }): Promise<number> => {
    asked.push(step);
    if (step === badStep) throw new Error(`step ${step} is broken`);
    return step;
  };
  const stage = { ...(regressionRecipe().stages["align"] as RecipeStage), accumulate: 1, ...change };
  const place = { seed: 1, stageName: "align", stage, steps: STEPS, collective: singleProcess };
  return { asked, source: createBatchSource({ ...place, data: { size: 8, batch } }) };
}

describe("createBatchSource", () => {
  it.each([
    { prefetch: undefined, first: [0, 1], all: [0, 1, 2, 3, 4] },
    { prefetch: 0, first: [0], all: [0, 1, 2, 3, 4] },
    { prefetch: 3, first: [0, 1, 2, 3], all: [0, 1, 2, 3, 4] },
    { prefetch: 64, first: [0, 1, 2, 3, 4], all: [0, 1, 2, 3, 4] },
  ])("loads $prefetch steps ahead, each once", async ({ prefetch, first, all }) => {
    const { asked, source } = open(prefetch === undefined ? {} : { prefetch });
    expect(await source.take(0)).toEqual([0]);
    expect(asked).toEqual(first);
    for (let step = 1; step < STEPS; step++) expect(await source.take(step)).toEqual([step]);
    expect(asked).toEqual(all);
  });

  it("throws the error of a step when that is taken, and tries again", async () => {
    const { asked, source } = open({ prefetch: 2 }, 2);
    expect(await source.take(0)).toEqual([0]);
    expect(await source.take(1)).toEqual([1]);
    await expect(source.take(2)).rejects.toThrow("step 2 is broken");
    await expect(source.take(2)).rejects.toThrow("step 2 is broken");
    expect(asked.filter((step) => step === 2)).toHaveLength(2);
  });
});

describe("createBatchSource with packing", () => {
  const rows = [3, 9, 1, 4, 4, 7, 2, 2, 10, 5, 6, 1];
  const sum = (indices: readonly number[]): number =>
    indices.reduce((total, index) => total + (rows[index] as number), 0);

  it("divides the samples of a step, which are those of the same step without it", async () => {
    const plain = await packedSteps(rows, { packing: "none" });
    const packed = await packedSteps(rows, {});
    for (const [step, [batches = []]] of packed.entries()) {
      expect(batches.flat().sort()).toEqual(plain[step]?.flat(2).sort());
      expect(Math.max(...batches.map(sum))).toBeLessThanOrEqual(10);
    }
    expect(new Set(packed.map(([batches = []]) => batches.length)).size).toBeGreaterThan(1);
    expect(await packedSteps(rows, { batchSize: 8, accumulate: 1 })).toEqual(packed);
  });

  it("gives every rank as many micro-batches", async () => {
    const packed = await packedSteps(rows, { batchSize: 2, accumulate: 6 }, 3);
    for (const ranks of packed) {
      expect(new Set(ranks.map((batches) => batches.length)).size).toBe(1);
      expect(ranks.flat(2)).toHaveLength(12);
      expect(Math.max(...ranks.flat().map(sum))).toBeLessThanOrEqual(10);
    }
  });

  it("divides the micro-batches of one process among ranks", async () => {
    const [alone = []] = await packedSteps(rows, { packing: "none", batchSize: 2, accumulate: 4 });
    const [shared = []] = await packedSteps(rows, { packing: "none", batchSize: 2, accumulate: 4 }, 2);
    const [first = [], second = []] = shared;
    expect([first[0], second[0], first[1], second[1]]).toEqual(alone[0]);
  });

  it("says how to write a step that ranks can share", async () => {
    const step = { packing: "none" as const, batchSize: 8, accumulate: 3 };
    await expect(packedSteps(rows, step, 2)).rejects.toThrowErrorMatchingInlineSnapshot(
      `[BasicError: stage "align": 2 ranks cannot share a step of 3 micro-batches (accumulate) of 8 samples equally. The same step: batchSize 12, accumulate 2. [E_CONFIG]]`,
    );
    await expect(packedSteps(rows, step, 5)).rejects.toThrowErrorMatchingInlineSnapshot(
      `[BasicError: stage "align": 5 ranks cannot share a step of 3 micro-batches (accumulate) of 8 samples equally. 5 does not divide 24 samples; the nearest step: batchSize 5, accumulate 5. [E_CONFIG]]`,
    );
    await expect(packedSteps(rows, { packing: "none", batchSize: 1, accumulate: 2 }, 8)).rejects.toThrow(
      "8 does not divide 2 samples; the nearest step: batchSize 1, accumulate 8.",
    );
  });

  it("says before any step which packed samples ranks cannot share", async () => {
    const stage = { ...(regressionRecipe().stages["align"] as RecipeStage), packing: "rows" as const };
    const input = { seed: 1, stageName: "align", stage: { ...stage, batchSize: 4, accumulate: 2 }, steps: 1 };
    const sizes = (): never => {
      throw new Error("sizes are asked for");
    };
    const data = { size: 8, sizes, batch: async () => 0 };
    const collective = { ...singleProcess, size: 3 };
    expect(() => createBatchSource({ ...input, data, collective })).toThrowErrorMatchingInlineSnapshot(
      `[BasicError: stage "align": 3 ranks cannot share a step of 8 packed samples (batchSize 4 × accumulate 2) equally. 3 does not divide 8 samples; the nearest step: batchSize 3, accumulate 3. [E_CONFIG]]`,
    );
  });

  it("packs steps of one kind too", async () => {
    const packed = await packedSteps(rows, { grouping: "modality-length" });
    for (const [batches = []] of packed) expect(Math.max(...batches.map(sum))).toBeLessThanOrEqual(10);
  });

  it("names the longest of the samples that no micro-batch can hold, before any step", async () => {
    await expect(packedSteps(rows, { rowBudget: 9 })).rejects.toThrowErrorMatchingInlineSnapshot(
      `[BasicError: stage "align": sample "picture-8" has 10 rows, and a micro-batch holds at most 9 (rowBudget). Shorten or remove what is too long, or raise rowBudget to 10. [E_ROW_BUDGET]]`,
    );
    await expect(packedSteps(rows, { rowBudget: 6 })).rejects.toThrowErrorMatchingInlineSnapshot(
      `[BasicError: stage "align": sample "picture-8" has 10 rows, the longest of 3 that are too long, and a micro-batch holds at most 6 (rowBudget). Shorten or remove what is too long, or raise rowBudget to 10. [E_ROW_BUDGET]]`,
    );
  });
});
