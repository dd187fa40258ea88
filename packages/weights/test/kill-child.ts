// A process for the kill tests: trains a small regression in a run folder and says each step.
import "@tensorflow/tfjs-backend-cpu";

import {
  createRandom,
  defineRecipe,
  type Objective,
  Parameter,
  ParameterSet,
  setFallback,
  type TrainingData,
  train,
} from "@basic-mllm/core";
import * as tf from "@tensorflow/tfjs-core";

import { createDiskStore } from "../src/run-store.js";

const WIDTH = 48;

interface Batch {
  readonly x: Float32Array;
  readonly rows: number;
}

function createObjective(): Objective<Batch> {
  const random = createRandom(1, "init");
  const set = (name: string) => {
    const parameters = new ParameterSet();
    const values = random.fillNormal(new Float32Array(WIDTH * WIDTH), 0.1);
    parameters.add(new Parameter(name, values, [WIDTH, WIDTH]));
    return parameters;
  };
  const groups = { projector: set("weight"), language: set("head") };
  return {
    groups,
    count: ({ rows }) => ({ tokens: rows, samples: rows }),
    parts: ({ x, rows }) => {
      const input = tf.tensor2d(x, [rows, WIDTH]);
      const hidden = tf.tanh(tf.matMul(input, groups.projector.get("weight").value as tf.Tensor2D));
      const output = tf.matMul(hidden, groups.language.get("head").value as tf.Tensor2D);
      const sum = tf.sum(tf.square(tf.sub(output, input))) as tf.Scalar;
      return [{ name: "language", sum, per: "tokens", weight: 1 }];
    },
  };
}

const data: TrainingData<Batch> = {
  size: 50,
  batch: async (indices) => {
    const rows = [...indices].map((i) => createRandom(2, "row", i).fillNormal(new Float32Array(WIDTH), 1));
    return { x: Float32Array.from(rows.flatMap((row) => [...row])), rows: rows.length };
  },
};

const stage = { batchSize: 4, learningRate: 1e-2, checkpointEvery: 3, logEvery: 2 };

async function main(folder: string, resume: boolean): Promise<void> {
  await tf.setBackend("cpu");
  setFallback("reference");
  const objective = createObjective();
  await train({
    recipe: defineRecipe({
      task: "language",
      name: "kill",
      model: { language: "none", tokenizer: "none" },
      data: { train: { align: "a", finetune: "b" } },
      stages: {
        align: { train: ["projector"], steps: 20, ...stage },
        finetune: { train: ["projector", "language"], steps: 25, ...stage },
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
