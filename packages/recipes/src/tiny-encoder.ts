import { defineRecipe } from "@basic-mllm/core";

import { TINY_ENCODER } from "./tiny.js";

/** Trains the quickstart's encoder: the mean of a quadrant's patches against the words of 594 concepts. */
export const tinyEncoder = defineRecipe({
  task: "region-text",
  name: "tiny-encoder",
  description: "The quickstart's 64 px vision encoder from scratch, region-text contrastive.",
  seed: 0,
  model: { vision: { name: "siglip", options: { config: TINY_ENCODER } } },
  data: { builder: { name: "scenes-pixels", options: { variant: "grid" } }, train: { contrast: "pixels" } },
  stages: {
    contrast: {
      train: ["vision", "text"],
      steps: 2400,
      batchSize: 64,
      learningRate: 1.5e-3,
      warmup: 100,
      schedule: { kind: "cosine", floor: 0.02 },
      betas: [0.9, 0.98],
      weightDecay: 0.05,
      logEvery: 50,
      checkpointEvery: 400,
    },
  },
});
