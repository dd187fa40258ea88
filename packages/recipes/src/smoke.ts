import { defineRecipe } from "@basic-mllm/core";

import { quickstart } from "./quickstart.js";

const { align, finetune } = quickstart.stages;

/** The quickstart at a sixth of its length: shows that everything works, in about a minute. */
export const smoke = defineRecipe({
  ...quickstart,
  name: "smoke",
  description: "The quickstart in about a minute, without the blind baseline: does everything work here?",
  data: {
    ...quickstart.data,
    builder: { name: "scenes", options: { variant: "solo", train1: 2000, train2: 3000, test: 100 } },
  },
  stages: {
    ...(align && { align: { ...align, steps: 100, losses: {} } }),
    ...(finetune && {
      finetune: {
        ...finetune,
        steps: 250,
        losses: { direction: { weight: 0.05, ramp: 125 }, distribution: 0.01 },
        evaluateEvery: 0,
      },
    }),
  },
  evaluation: { blind: false, duringTraining: 100 },
});
