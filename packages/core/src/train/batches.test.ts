import { describe, expect, it } from "vitest";

import { regressionRecipe } from "../../test/regression.js";
import type { RecipeStage } from "../recipe.js";
import { createBatchSource } from "./batches.js";
import { singleProcess } from "./collective.js";

const STEPS = 5;

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
