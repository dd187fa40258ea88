import { BasicError } from "../errors.js";
import type { RecipeStage } from "../recipe.js";
import type { Collective } from "./collective.js";
import type { SampleSizes, StepPosition, TrainingData } from "./objective.js";
import { createOrder } from "./order.js";

/** The micro-batches of this rank, step by step. */
export interface BatchSource<Batch> {
  /** Waits for the micro-batches of a step and starts on those of the next ones. */
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
 * Picks samples by (seed, stage, step) and loads the stage's `prefetch` steps ahead, while the device works.
 *
 * @throws {@link BasicError} `E_DATA_EMPTY`; `E_CONFIG` for a grouping that the data or the stage cannot have.
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
    sizes: sizesOf(input),
  });
  const load = (step: number): Promise<readonly Batch[]> => {
    const position: StepPosition = { stage: stageName, step, steps };
    const own = Array.from({ length: stage.accumulate }, (_, i) => i * collective.size + collective.rank);
    return Promise.all(own.map((microBatch) => data.batch(order.indices(step, microBatch), position)));
  };
  const { prefetch = 1 } = stage;
  const ahead = new Map<number, Promise<readonly Batch[]>>();
  const start = (step: number): Promise<readonly Batch[]> => {
    const batches = ahead.get(step) ?? load(step);
    ahead.set(step, batches);
    // An error is thrown when the batch is taken, and not at all where the run ends before.
    batches.catch(() => undefined);
    return batches;
  };
  return {
    take: async (step) => {
      for (const known of ahead.keys()) if (known < step || known > step + prefetch) ahead.delete(known);
      const taken = start(step);
      // Also where it fails: whoever asks again gets a new try.
      ahead.delete(step);
      const batches = await taken;
      for (let next = step + 1; next <= Math.min(step + prefetch, steps - 1); next++) void start(next);
      return batches;
    },
  };
}

function sizesOf<Batch>({ data, stage, stageName }: BatchSourceInput<Batch>): SampleSizes | null {
  if (stage.grouping !== "modality-length") return null;
  if (!stage.shuffle) {
    throw new BasicError(
      "E_CONFIG",
      `stage "${stageName}": grouping "modality-length" puts samples into an order of its own, and shuffle is false. Leave one of them out.`,
    );
  }
  if (data.sizes !== undefined) return data.sizes();
  throw new BasicError(
    "E_CONFIG",
    `stage "${stageName}": grouping "modality-length" needs the rows of each sample, and this data does not tell them. ` +
      "Leave grouping out, or give the data a method sizes().",
  );
}
