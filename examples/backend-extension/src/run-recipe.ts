import {
  createDecoder,
  createLanguageObjective,
  createMemoryStore,
  decoderConfig,
  defineRecipe,
  type LanguageBatch,
  readMetrics,
  startBackend,
  type TrainingData,
  type TrainLine,
  train,
} from "@basic-mllm/core";

import { MY_BACKEND, ownKernelCalls } from "./mycpu.js";

const LETTERS = 8;
const LENGTH = 12;

/** A small Llama learns to say the alphabet. */
const recipe = defineRecipe({
  task: "language",
  name: "alphabet",
  fallback: "reference", // for the contracts without a body on our backend
  model: { language: "llama", tokenizer: "letters" },
  data: { train: { read: "in memory" } },
  stages: { read: { train: ["language"], steps: 30, batchSize: 4, learningRate: 3e-2, logEvery: 5 } },
});

/** What the run reached. */
export interface AlphabetResult {
  readonly first: TrainLine;
  readonly last: TrainLine;
  /** Calls of the kernel that our backend overrides. */
  readonly ownKernelCalls: number;
}

/** Trains the recipe on our backend. */
export async function runRecipe(): Promise<AlphabetResult> {
  const { fallback, precision } = recipe;
  await startBackend(`tfjs:${MY_BACKEND}`, { fallback, precision });
  const language = createDecoder(
    decoderConfig({ vocabularySize: LETTERS, width: 16, depth: 1, heads: 2, inner: 32, tiedHead: true }),
  );
  const store = createMemoryStore();
  const objective = createLanguageObjective(language);
  await train({ recipe, objective: () => objective, data: () => alphabet, store });
  language.parameters.dispose();
  const lines = (await readMetrics(store)).filter((line) => line.kind === "train");
  return { first: lines[0] as TrainLine, last: lines.at(-1) as TrainLine, ownKernelCalls: ownKernelCalls() };
}

/** Sample i starts at letter i; every row is trained on the next letter. */
const alphabet: TrainingData<LanguageBatch> = {
  size: LETTERS,
  batch: async (indices) => {
    const rows = indices.length * LENGTH;
    const at = (row: number): number => row % LENGTH;
    const letter = (row: number): number =>
      ((indices[Math.floor(row / LENGTH)] as number) + at(row)) % LETTERS;
    const packed = {
      ids: Int32Array.from({ length: rows }, (_, row) => letter(row)),
      offsets: Int32Array.from({ length: indices.length + 1 }, (_, sample) => sample * LENGTH),
      positions: Int32Array.from({ length: rows }, (_, row) => at(row)),
      images: [],
      countsAsText: new Int32Array(rows).fill(1),
      labels: Int32Array.from({ length: rows }, (_, row) => (at(row) < LENGTH - 1 ? letter(row + 1) : -100)),
    };
    return { packed, visual: null, sampleIds: Array.from(indices, String) };
  },
};
