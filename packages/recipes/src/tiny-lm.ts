import { defineRecipe } from "@basic-mllm/core";

import { TINY_LANGUAGE } from "./tiny.js";

/** Trains the quickstart's language model: scenes in words with questions, and definitions from the CLDR tags. */
export const tinyLm = defineRecipe({
  task: "language",
  name: "tiny-lm",
  description: "The quickstart's language model and tokenizer from scratch.",
  seed: 0,
  model: { language: { name: "llama", options: { config: TINY_LANGUAGE } }, tokenizer: "scenes-words" },
  data: { builder: { name: "scenes-corpus", options: { variant: "solo" } }, train: { read: "corpus" } },
  stages: {
    read: {
      train: ["language"],
      steps: 1500,
      batchSize: 24,
      learningRate: 2e-3,
      warmup: 60,
      schedule: { kind: "cosine", floor: 0.05 },
      betas: [0.9, 0.98],
      weightDecay: 0.05,
      logEvery: 50,
      checkpointEvery: 500,
    },
  },
});
