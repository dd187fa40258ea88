import type { MomentStorage, Objective, Recipe, TrainingData } from "@basic-mllm/core";
import { recipes } from "@basic-mllm/recipes";
import { expect, it } from "vitest";

import { stageStates, stateTable } from "./memory.js";

it("knows parameters, gradients, moments and checkpoints of each stage from sizes alone", async () => {
  const { quickstart } = recipes;
  if (quickstart === undefined) throw new Error("the quickstart is gone");
  const data: TrainingData<number> = { size: 8000, batch: async ([first = 0]) => first };
  const objective = {
    groups: { projector: { size: 10 }, language: { size: 100 } },
  } as unknown as Objective<number>;
  const parts = [
    { name: "vision", parameters: 1000 },
    { name: "projector", parameters: 10 },
    { name: "language", parameters: 100 },
  ];
  const states = await stageStates(quickstart, { parts, objective, data: async () => data });
  expect(states).toEqual([
    // A checkpoint: values of what has trained, two moments of what trains, held twice.
    { stage: "align", steps: 600, parameters: 4440, state: 3 * 4 * 10, saving: 2 * 4 * (10 + 2 * 10) },
    { stage: "finetune", steps: 1400, parameters: 4440, state: 3 * 4 * 110, saving: 2 * 4 * (110 + 2 * 110) },
  ]);
  expect(`\n${stateTable(states)}`).toMatchInlineSnapshot(`
    "
      STAGE     STEPS  PARAMETERS  GRADIENTS, MOMENTS  A CHECKPOINT ADDS
      align     600    4.4 kB      120 B               240 B
      finetune  1400   4.4 kB      1.3 kB              2.6 kB
      activations come on top: --dry predicts the peak"
  `);
});

it("counts moments as they are stored", async () => {
  const { quickstart } = recipes;
  const recipe = withMoments(quickstart, "int8");
  const data: TrainingData<number> = { size: 8000, batch: async ([first = 0]) => first };
  const projector = Object.assign([{ shape: [10, 100] }], { size: 1000 });
  const groups = { projector, language: Object.assign([], { size: 0 }) };
  const objective = { groups } as unknown as Objective<number>;
  const [align] = await stageStates(recipe, { parts: [], objective, data: async () => data });
  // Four scales and 1000 bytes a moment.
  expect(align).toMatchObject({ state: 4000 + 2 * 1016, saving: 2 * (4000 + 2 * 1016) });
});

function withMoments(recipe: Recipe | undefined, moments: MomentStorage): Recipe {
  if (recipe === undefined) throw new Error("the quickstart is gone");
  const stages = Object.entries(recipe.stages).map(([name, stage]) => [name, { ...stage, moments }]);
  return { ...recipe, stages: Object.fromEntries(stages) } as Recipe;
}
