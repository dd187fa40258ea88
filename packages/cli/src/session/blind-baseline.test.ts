import { defineRecipe } from "@basic-mllm/core";
import { expect, it } from "vitest";

import { blindRecipe } from "./blind-baseline.js";

it.each([
  { train: ["projector"], kept: false },
  { train: ["vision.blocks[2:]", "projector/linear_1.*"], kept: false },
  { train: ["projector", "language"], kept: true },
  { train: ["language.blocks[1:]"], kept: true },
  { train: ["projector", "lora"], kept: true },
])("a baseline on words has the stage that trains $train: $kept", ({ train, kept }) => {
  const recipe = defineRecipe({
    name: "words",
    model: {
      vision: "tiny-siglip",
      language: "tiny-llama",
      projectorInit: "match-vocabulary",
      ...(train.includes("lora") && { lora: { rank: 2, alpha: 4 } }),
    },
    data: { train: { align: "a" } },
    stages: { align: { train, steps: 1, learningRate: 1, losses: { direction: 1 }, evaluateEvery: 1 } },
  });
  const { stages, model } = blindRecipe(recipe);
  expect(Object.keys(stages)).toEqual(kept ? ["align"] : []);
  expect(model.projectorInit).toBe("default");
  if (kept) expect(stages["align"]).toMatchObject({ evaluateEvery: 0, losses: { language: { weight: 1 } } });
});
