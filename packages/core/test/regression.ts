// The smallest thing that the loop can train: y = (x · W + b) · s, with two loss parts.
import "../src/register.js";
import "@tensorflow/tfjs-backend-cpu";

import * as tf from "@tensorflow/tfjs-core";

import { setFallback } from "../src/kernels/run.js";
import { Parameter, ParameterSet } from "../src/parameters.js";
import { createRandom } from "../src/random.js";
import { defineRecipe, type Recipe, type RecipeInput } from "../src/recipe.js";
import { createMemoryStore, type MemoryFiles } from "../src/train/memory-store.js";
import type { MetricsLine } from "../src/train/metrics.js";
import type { Objective, TrainingData } from "../src/train/objective.js";
import type { TrainOptions } from "../src/train/train-options.js";

const WIDTH = 3;
const OUTPUTS = 2;

/** Some samples of the regression task. */
export interface RegressionBatch {
  readonly indices: Int32Array;
  readonly x: Float32Array;
  readonly y: Float32Array;
  /** Samples that also count for the second part ("with an image"). */
  readonly withImage: Float32Array;
}

/** Selects the stock cpu backend with the reference kernels. */
export async function startStockCpu(): Promise<void> {
  await tf.setBackend("cpu");
  setFallback("reference");
}

/** @param bad - A sample of this index has x = NaN from step `bad.step` on. */
export function regressionData(size: number, bad?: { step: number }): TrainingData<RegressionBatch> {
  const random = createRandom(5, "data");
  const x = random.fillNormal(new Float32Array(size * WIDTH), 1);
  const noise = random.fillNormal(new Float32Array(size * OUTPUTS), 0.1);
  return {
    size,
    sizes: () => ({
      rows: Array.from({ length: size }, (_, i) => 1 + ((7 * i) % 11)),
      visual: Array.from({ length: size }, (_, i) => (i % 3 === 0 ? 1 : 0)),
    }),
    batch: async (indices, { step }) => {
      const rows = [...indices];
      const values = rows.flatMap((i) => [...x.subarray(i * WIDTH, (i + 1) * WIDTH)]);
      if (bad !== undefined && step >= bad.step) values[0] = Number.NaN;
      const targets = rows.flatMap((i) => {
        const [a, b, c] = x.subarray(i * WIDTH, (i + 1) * WIDTH) as unknown as [number, number, number];
        const [first, second] = noise.subarray(i * OUTPUTS, (i + 1) * OUTPUTS);
        return [2 * a - b + (first as number), c + 0.5 + (second as number)];
      });
      return {
        indices,
        x: Float32Array.from(values),
        y: Float32Array.from(targets),
        withImage: Float32Array.from(rows, (i) => (i % 3 === 0 ? 1 : 0)),
      };
    },
  };
}

/** A fresh model: groups `projector` (W, b) and `language` (s). */
export function createRegression(): Objective<RegressionBatch> & { dispose(): void } {
  const random = createRandom(9, "init");
  const projector = new ParameterSet();
  const weight = projector.add(
    new Parameter("weight", random.fillNormal(new Float32Array(WIDTH * OUTPUTS), 0.3), [WIDTH, OUTPUTS]),
  );
  const bias = projector.add(new Parameter("bias", new Float32Array(OUTPUTS), [OUTPUTS]));
  const language = new ParameterSet();
  const scale = language.add(new Parameter("scale", new Float32Array(OUTPUTS).fill(1), [OUTPUTS]));
  return {
    groups: { projector, language },
    count: ({ indices, withImage }) => ({
      tokens: indices.length,
      samples: withImage.reduce((sum, one) => sum + one, 0),
    }),
    parts: ({ x, y, withImage, indices }) => {
      const rows = indices.length;
      const projected = tf.add(
        tf.matMul(tf.tensor2d(x, [rows, WIDTH]), weight.value as tf.Tensor2D),
        bias.value,
      );
      const error = tf.sub(tf.mul(projected, scale.value), tf.tensor2d(y, [rows, OUTPUTS]));
      const size = tf.mul(tf.sum(tf.square(projected), 1), tf.tensor1d(withImage));
      return [
        { name: "language", sum: tf.sum(tf.square(error)) as tf.Scalar, per: "tokens", weight: 1 },
        { name: "direction", sum: tf.sum(size) as tf.Scalar, per: "samples", weight: 0.01 },
      ];
    },
    dispose: () => {
      projector.dispose();
      language.dispose();
    },
  };
}

/** Two short stages: the projector alone, then both groups. */
export function regressionRecipe(stage: Partial<RecipeInput["stages"][string]> = {}): Recipe {
  const common = {
    batchSize: 4,
    accumulate: 2,
    learningRate: 0.05,
    warmup: 1,
    logEvery: 2,
    checkpointEvery: 4,
    ...stage,
  };
  return defineRecipe({
    task: "language",
    name: "regression",
    seed: 3,
    model: { language: "none", tokenizer: "none" },
    data: { train: { align: "a", finetune: "b" } },
    stages: {
      align: { train: ["projector"], steps: 6, ...common },
      finetune: { train: ["projector", "language"], steps: 7, ...common },
    },
  });
}

/** Options of a run with a fresh model; the store is a new one in memory unless `files` is given. */
export function regressionRun(
  change: Partial<TrainOptions<RegressionBatch>> & { files?: MemoryFiles } = {},
): TrainOptions<RegressionBatch> & { files: MemoryFiles; dispose(): void } {
  const { files = new Map(), ...rest } = change;
  const model = createRegression();
  return {
    recipe: regressionRecipe(),
    objective: () => model,
    data: () => regressionData(30),
    store: createMemoryStore(files),
    ...rest,
    files,
    dispose: () => model.dispose(),
  };
}

/** Lines of metrics.jsonl without what a clock says. */
export function linesOf(files: MemoryFiles): MetricsLine[] {
  const text = new TextDecoder().decode(files.get("metrics.jsonl") ?? new Uint8Array());
  return text
    .split("\n")
    .filter((line) => line !== "")
    .map((line) => {
      const { tokensPerSecond, stepMs, ...rest } = JSON.parse(line);
      return rest as MetricsLine;
    });
}

/** The state file of the newest checkpoint: weights and moments. */
export function finalState(files: MemoryFiles): Uint8Array | undefined {
  const name = [...files.keys()]
    .filter((path) => path.endsWith(".safetensors"))
    .sort()
    .at(-1);
  return name === undefined ? undefined : files.get(name);
}
