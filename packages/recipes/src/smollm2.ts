import { defineRecipe } from "@basic-mllm/core";

/** The file that the recipe `smollm2` reads; `node scripts/fetch-gguf.mjs` puts it into `.cache/gguf` of a clone. */
export const SMOLLM2_FILE = "SmolLM2-135M-Instruct.Q4_1.gguf";

/**
 * A pretrained language model of 135 M parameters learns to see: its projector first, then adapters of rank 16 beside
 * it. Pictures and encoder are those of quickstart.
 */
export const smollm2 = defineRecipe({
  name: "smollm2",
  description: "SmolLM2-135M with a 64 px encoder: projector, then LoRA, on pictures of real artists.",
  seed: 0,
  precision: "bf16",
  model: {
    vision: "tiny-siglip",
    projector: "mlp2x_gelu",
    projectorInit: "match-vocabulary",
    language: `.cache/gguf/${SMOLLM2_FILE}`,
    lora: { rank: 16, alpha: 32 },
  },
  features: { standardise: true },
  supervision: { normalise: "sum" },
  data: {
    builder: { name: "scenes", options: { variant: "solo", train1: 8000, train2: 12_000, test: 400 } },
    train: { align: "stage1", finetune: "stage2" },
    evaluation: { "unseen-artist": "test-noto", "held-out-concepts": "held-out" },
  },
  stages: {
    align: {
      train: ["projector"],
      template: "plain",
      batchSize: 8,
      steps: 1000,
      learningRate: 1e-3,
    },
    finetune: {
      train: ["projector", "lora"],
      template: "chatml",
      batchSize: 8,
      steps: 500,
      learningRate: { projector: 1e-3, lora: 2e-4 },
      losses: { direction: { weight: 0.05, ramp: 250 }, distribution: 0.01 },
    },
  },
  evaluation: { limit: 100, blind: true },
});
