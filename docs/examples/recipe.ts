import { defineRecipe } from "@basic-mllm/core";

/** Your own pictures with the models of the quickstart. */
export const recipe = defineRecipe({
  name: "my-pictures",
  seed: 0,
  model: {
    vision: "tiny-siglip", // a name that `basic-mllm ls` shows, or a folder in the Hugging Face layout
    projector: { name: "mlp2x_gelu", options: { bias: true } },
    projectorInit: "match-vocabulary",
    language: "tiny-llama",
  },
  data: {
    folder: "my-data", // LLaVA JSON files and their pictures
    train: { align: "captions.json", finetune: { file: "chat.json", limit: 5000 } },
    evaluation: { test: "test.json" },
    onImageError: "skip-and-count",
  },
  stages: {
    align: {
      train: ["projector"], // everything that is not named is frozen
      template: "plain", // the caption alone
      steps: 600,
      learningRate: 2e-3,
      losses: { direction: { weight: 0.05, start: 100, ramp: 200 } }, // beside the language loss, whose λ is 1
    },
    finetune: {
      train: ["projector", "language"],
      template: "chat",
      steps: { epochs: 2 },
      batchSize: 8,
      accumulate: 2, // 16 samples a step, exactly as one batch of 16
      learningRate: { projector: 1e-3, language: 2e-4 },
      losses: { direction: 0.05, distribution: 0.01 },
      evaluateEvery: 200,
    },
  },
  supervision: { normalise: "sum" },
  evaluation: { blind: true },
});
