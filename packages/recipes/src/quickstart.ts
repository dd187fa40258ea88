import { defineRecipe } from "@basic-mllm/core";

/**
 * The main job: a frozen 64 px encoder, a projector and a small Llama learn to describe pictures drawn by five teams of
 * artists, and are tested on a sixth that they have never seen.
 */
export const quickstart = defineRecipe({
  name: "quickstart",
  description:
    "A LLaVA of 2 M parameters with BASIC's losses, on pictures of real artists; minutes on a laptop.",
  seed: 0,
  model: {
    vision: "tiny-siglip",
    projector: "mlp2x_gelu",
    projectorInit: "match-vocabulary",
    language: "tiny-llama",
  },
  features: { standardise: true },
  supervision: { normalise: "sum" },
  data: {
    builder: { name: "scenes", options: { variant: "solo", train1: 8000, train2: 12_000, test: 400 } },
    train: { align: "stage1", finetune: "stage2" },
    evaluation: {
      "unseen-artist": "test-noto",
      "training-artists": "test-train-artists",
      "held-out-concepts": "held-out",
    },
  },
  stages: {
    align: {
      train: ["projector"],
      template: "plain",
      steps: 600,
      learningRate: 2e-3,
    },
    finetune: {
      train: ["projector", "language"],
      template: "chat",
      steps: 1400,
      learningRate: 2e-3,
      // A twentieth of the paper's λ₁, ramped: at this size more makes all visual embeddings alike (docs/log.md).
      losses: { direction: { weight: 0.05, ramp: 700 }, distribution: 0.01 },
      evaluateEvery: 350,
    },
  },
  evaluation: { blind: true, duringTraining: 100 },
});
