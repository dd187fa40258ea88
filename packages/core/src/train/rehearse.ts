import * as tf from "@tensorflow/tfjs-core";

import { type Recipe, type RecipeStage, resolveSteps } from "../recipe.js";
import { createBatchSource } from "./batches.js";
import { singleProcess } from "./collective.js";
import { createStageOptimizer } from "./freeze.js";
import { heaviestSteps } from "./heaviest.js";
import type { Objective, TrainingData } from "./objective.js";
import { disposeStep, trainStep } from "./step.js";

/** A backend that can run without computing, to learn how much memory a body would take. */
export interface RehearsingBackend {
  /**
   * @param body - Gets a function that gives the bytes by which the backend's memory would have grown so far.
   * @returns Those bytes at the end.
   */
  rehearse(body: (grown: () => number) => Promise<void>): Promise<number>;
}

/** A stage to rehearse. */
export interface RehearsalInput<Batch> {
  readonly recipe: Recipe;
  readonly stageName: string;
  readonly objective: Objective<Batch>;
  readonly data: TrainingData<Batch>;
  /** What comes after the steps, while moments are still there: a measurement. */
  readonly afterwards?: () => Promise<void>;
  /** Processes that share the micro-batches of a step: one of them is rehearsed. Default 1. */
  readonly ranks?: number;
}

/** Batches differ in their rows, so that their tensors need blocks of different sizes. */
const STEPS = 16;

/**
 * Bytes by which the backend's memory has grown after each of these stages, one after the other, without computing a
 * step: the first steps of each are gone through, with all its losses, and those of the largest samples where rows differ
 * much (`heaviest`) or are packed. Parameters are as before.
 *
 * @returns One number a stage; null where the current backend cannot tell.
 */
export async function rehearseStages<Batch>(
  stages: readonly RehearsalInput<Batch>[],
): Promise<readonly number[] | null> {
  const backend = tf.backend() as Partial<RehearsingBackend>;
  if (backend.rehearse === undefined) return null;
  const parameters = stages.flatMap(({ objective }) =>
    Object.values(objective.groups).flatMap((set) => [...set]),
  );
  const trainable = parameters.map((parameter) => parameter.trainable);
  try {
    const growth: number[] = [];
    await backend.rehearse(async (grown) => {
      for (const stage of stages) {
        await runSteps(stage);
        growth.push(grown());
      }
    });
    return growth;
  } finally {
    for (const [i, parameter] of parameters.entries()) parameter.trainable = trainable[i] ?? true;
  }
}

async function runSteps<Batch>(input: RehearsalInput<Batch>): Promise<void> {
  const { recipe, stageName, objective, data, afterwards, ranks = 1 } = input;
  const stage = recipe.stages[stageName] as RecipeStage;
  const steps = resolveSteps(stage, data.size);
  const { lossReduction: reduction } = stage;
  const collective = { ...singleProcess, size: ranks };
  const source = createBatchSource({ data, seed: recipe.seed, stageName, stage, steps, collective });
  const optimizer = createStageOptimizer(stage, objective.groups);
  // The last step: losses that begin late are there.
  const position = { stage: stageName, step: steps - 1, steps };
  const run = async (batches: readonly Batch[]): Promise<void> =>
    disposeStep(await trainStep({ objective, batches, position, reduction, collective }, optimizer, 0));
  try {
    for (let step = 0; step < Math.min(STEPS, steps); step++) await run(await source.take(step));
    const own = { ...stage, accumulate: Math.ceil(stage.accumulate / ranks) };
    for (const heaviest of await heaviestSteps(data, own, position)) await run(heaviest);
    await afterwards?.();
  } finally {
    optimizer.dispose();
  }
}
