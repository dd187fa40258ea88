// A process for the kill tests: tunes adapters with dropout on grouped samples, and says each step.
import "@tensorflow/tfjs-backend-cpu";

import {
  attachLora,
  createDecoder,
  createLanguageObjective,
  decoderConfig,
  defineRecipe,
  type LanguageBatch,
  setFallback,
  type TrainingData,
  train,
} from "@basic-mllm/core";
import * as tf from "@tensorflow/tfjs-core";

import { createDiskStore } from "../src/run-store.js";

const config = decoderConfig({
  vocabularySize: 17,
  width: 12,
  depth: 2,
  heads: 2,
  inner: 16,
  initialStd: 0.4,
});
const lengthOf = (index: number): number => 3 + (index % 5);

const data: TrainingData<LanguageBatch> = {
  size: 30,
  sizes: () => ({
    rows: Array.from({ length: 30 }, (_, index) => lengthOf(index)),
    visual: Array.from({ length: 30 }, (_, index) => Number(index % 3 === 0)),
  }),
  batch: async (indices) => {
    const samples = [...indices].map((index) =>
      Array.from({ length: lengthOf(index) }, (_, i) => (index * (i + 1) + i) % 17),
    );
    const ids = Int32Array.from(samples.flat());
    const offsets = [0];
    for (const { length } of samples) offsets.push((offsets.at(-1) as number) + length);
    const ends = new Set(offsets.map((offset) => offset - 1));
    return {
      packed: {
        ids,
        offsets: Int32Array.from(offsets),
        positions: Int32Array.from(samples.flatMap((sample) => sample.map((_, i) => i))),
        images: [],
        countsAsText: ids.map(() => 1),
        labels: ids.map((_, row) => (ends.has(row) ? -100 : (ids[row + 1] as number))),
      },
    };
  },
};

async function main(folder: string, resume: boolean): Promise<void> {
  await tf.setBackend("cpu");
  setFallback("reference");
  const decoder = createDecoder(config, { seed: 1 });
  const lora = attachLora(decoder, { rank: 2, alpha: 4, dropout: 0.2, seed: 7 });
  const objective = createLanguageObjective(decoder, lora);
  await train({
    recipe: defineRecipe({
      task: "language",
      name: "kill-lora",
      model: { language: "none", tokenizer: "none" },
      data: { train: { tune: "a" } },
      stages: {
        tune: {
          train: ["lora"],
          steps: 45,
          batchSize: 3,
          accumulate: 2,
          learningRate: 1e-2,
          checkpointEvery: 3,
          logEvery: 2,
          grouping: "modality-length",
          prefetch: 2,
        },
      },
    }),
    objective: () => objective,
    data: () => data,
    store: createDiskStore(folder),
    ...(resume && { resume: "last" as const }),
    onEvent: (event) => {
      if (event.kind === "step") process.stdout.write(`step ${event.globalStep}\n`);
    },
  });
}

const [folder, mode] = process.argv.slice(2);
main(folder as string, mode === "resume").catch((error: unknown) => {
  process.stderr.write(`${String(error)}\n`);
  process.exitCode = 1;
});
