import { diffRecipes } from "@basic-mllm/core";
import { quickstart } from "@basic-mllm/recipes";
import { expect, it } from "vitest";

import { pageRecipe } from "./recipe.js";

it("changes nothing of the quickstart but how often it reports and saves", () => {
  const changed = diffRecipes(quickstart, pageRecipe("whole")).map(({ path, after }) => [path, after]);
  expect(Object.fromEntries(changed)).toEqual({
    "stages.align.prefetch": 0,
    "stages.align.logEvery": 5,
    "stages.align.checkpointEvery": 100,
    "stages.finetune.prefetch": 0,
    "stages.finetune.logEvery": 5,
    "stages.finetune.checkpointEvery": 100,
  });
});

it("scales steps, ramps and evaluations together", () => {
  const { align, finetune } = pageRecipe("quarter").stages;
  expect([align?.steps, finetune?.steps]).toEqual([150, 350]);
  expect(finetune?.losses["direction"]).toMatchObject({ weight: 0.05, ramp: 175 });
  expect(finetune?.evaluateEvery).toBe(88);
});

it("makes trials of few pictures, which say each step", () => {
  const { align, finetune } = pageRecipe("trial").stages;
  expect([align?.steps, finetune?.steps, align?.batchSize, finetune?.batchSize]).toEqual([4, 4, 4, 4]);
  expect([align?.logEvery, finetune?.logEvery]).toEqual([1, 1]);
});
