import { BasicError } from "../errors.js";
import type { RecipeStage } from "../recipe.js";
import type { Collective } from "./collective.js";
import type { StepPosition, TrainingData } from "./objective.js";
import { createOrder } from "./order.js";

/** The micro-batches of this rank, step by step. */
export interface BatchSource<Batch> {
  /** Waits for the micro-batches of a step and starts on those of the next one. */
  take(step: number): Promise<readonly Batch[]>;
}

/** What {@link createBatchSource} needs. */
export interface BatchSourceInput<Batch> {
  readonly data: TrainingData<Batch>;
  readonly seed: number;
  readonly stageName: string;
  readonly stage: RecipeStage;
  /** Optimizer steps of the stage. */
  readonly steps: number;
  readonly collective: Collective;
}

/**
 * Picks samples by (seed, stage, step) and loads one step ahead, while the device works.
 *
 * @throws {@link BasicError} `E_DATA_EMPTY`.
 */
export function createBatchSource<Batch>(input: BatchSourceInput<Batch>): BatchSource<Batch> {
  const { data, seed, stageName, stage, steps, collective } = input;
  if (data.size === 0) {
    throw new BasicError(
      "E_DATA_EMPTY",
      `The data of stage "${stageName}" has no samples. Check the file that the recipe names in \`data.train\`.`,
    );
  }
  const order = createOrder({
    seed,
    stage: stageName,
    size: data.size,
    batchSize: stage.batchSize,
    microBatches: stage.accumulate * collective.size,
    shuffle: stage.shuffle,
  });
  const load = (step: number): Promise<readonly Batch[]> => {
    const position: StepPosition = { stage: stageName, step, steps };
    const own = Array.from({ length: stage.accumulate }, (_, i) => i * collective.size + collective.rank);
    return Promise.all(own.map((microBatch) => data.batch(order.indices(step, microBatch), position)));
  };
  let ahead: { step: number; batches: Promise<readonly Batch[]> } | undefined;
  return {
    take: async (step) => {
      const batches = await (ahead?.step === step ? ahead.batches : load(step));
      if (step + 1 < steps) {
        ahead = { step: step + 1, batches: load(step + 1) };
        // An error is thrown when the batch is taken, and not at all where the run ends before.
        ahead.batches.catch(() => undefined);
      }
      return batches;
    },
  };
}
