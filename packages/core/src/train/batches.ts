import { BasicError } from "../errors.js";
import type { RecipeStage } from "../recipe.js";
import type { Collective } from "./collective.js";
import type { SampleSizes, StepPosition, TrainingData } from "./objective.js";
import { createOrder, type SampleOrder } from "./order.js";
import { packStep } from "./pack-rows.js";

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
 * @throws {@link BasicError} `E_DATA_EMPTY`; `E_CONFIG` for a grouping or packing that the data or the stage cannot have, and
 *   for micro-batches that the ranks cannot share equally;
 *   `E_ROW_BUDGET` for a sample that is too long to be packed.
 */
export function createBatchSource<Batch>(input: BatchSourceInput<Batch>): BatchSource<Batch> {
  const { data, seed, stageName, stage, steps, collective } = input;
  if (data.size === 0) {
    throw new BasicError(
      "E_DATA_EMPTY",
      `The data of stage "${stageName}" has no samples. Check the file that the recipe names in \`data.train\`.`,
    );
  }
  requireEqualShares(stageName, stage, collective.size);
  const sizes = sizesOf(input);
  const order = createOrder({
    seed,
    stage: stageName,
    size: data.size,
    batchSize: stage.batchSize,
    microBatches: stage.accumulate,
    shuffle: stage.shuffle,
    sizes: stage.grouping === "modality-length" ? sizes : null,
  });
  const isPacked = stage.packing === "rows" && sizes !== null;
  const divide = isPacked ? packed(input, order, sizes) : fixed(stage, order);
  const load = async (step: number): Promise<readonly Batch[]> => {
    const position: StepPosition = { stage: stageName, step, steps };
    const own = divide(step).filter((_, i) => i % collective.size === collective.rank);
    return Promise.all(own.map((indices) => data.batch(indices, position)));
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

/** Sample indices of all micro-batches of a step, over all ranks. */
type Division = (step: number) => readonly Int32Array[];

function fixed({ accumulate: length }: RecipeStage, order: SampleOrder): Division {
  return (step) => Array.from({ length }, (_, microBatch) => order.indices(step, microBatch));
}

/**
 * Ranks take equal numbers of the micro-batches that a stage says, or of its packed samples.
 *
 * @param size - Number of ranks.
 * @throws {@link BasicError} `E_CONFIG` where they cannot, with a way to write the same step, or the nearest one.
 */
export function requireEqualShares(
  stageName: string,
  { batchSize, accumulate, packing }: Pick<RecipeStage, "batchSize" | "accumulate" | "packing">,
  size: number,
): void {
  const samples = batchSize * accumulate;
  const isPacked = packing === "rows";
  if ((isPacked ? samples : accumulate) % size === 0) return;
  const step = isPacked
    ? `${samples} packed samples (batchSize ${batchSize} × accumulate ${accumulate})`
    : `${accumulate} micro-batches (accumulate) of ${batchSize} samples`;
  const own = Math.max(1, Math.round(samples / size));
  const fix =
    samples % size === 0
      ? `The same step: batchSize ${own}, accumulate ${size}`
      : `${size} does not divide ${samples} samples; the nearest step: batchSize ${own}, accumulate ${size}`;
  throw new BasicError(
    "E_CONFIG",
    `stage "${stageName}": ${size} ranks cannot share a step of ${step} equally. ${fix}.`,
  );
}

function packed<Batch>(input: BatchSourceInput<Batch>, order: SampleOrder, sizes: SampleSizes): Division {
  const { stage, collective } = input;
  checkRows(input, sizes);
  const whole = fixed(stage, order);
  const packing = { budget: stage.rowBudget, multiple: collective.size };
  const rowsOf = (index: number): number => sizes.rows[index] ?? 0;
  return (step) => packStep(Int32Array.from(whole(step).flatMap((own) => [...own])), rowsOf, packing);
}

/** Before any step: a sample that no micro-batch can hold may not be met for hours. */
function checkRows<Batch>({ stage, stageName }: BatchSourceInput<Batch>, { rows, id }: SampleSizes): void {
  const { rowBudget } = stage;
  const tooLong = Array.from(rows)
    .map((count, index) => ({ count, index }))
    .filter(({ count }) => count > rowBudget);
  if (tooLong.length === 0) return;
  const { count, index } = tooLong.reduce((most, one) => (one.count > most.count ? one : most));
  const others = tooLong.length === 1 ? "" : `, the longest of ${tooLong.length} that are too long`;
  throw new BasicError(
    "E_ROW_BUDGET",
    `stage "${stageName}": sample "${id?.(index) ?? index}" has ${count} rows${others}, and a micro-batch holds at most ` +
      `${rowBudget} (rowBudget). Shorten or remove what is too long, or raise rowBudget to ${count}.`,
  );
}

function sizesOf<Batch>({ data, stage, stageName }: BatchSourceInput<Batch>): SampleSizes | null {
  const { grouping, packing, shuffle } = stage;
  const isGrouped = grouping === "modality-length";
  if (!isGrouped && packing !== "rows") return null;
  if (isGrouped && !shuffle) {
    throw new BasicError(
      "E_CONFIG",
      `stage "${stageName}": grouping "modality-length" puts samples into an order of its own, and shuffle is false. Leave one of them out.`,
    );
  }
  if (data.sizes !== undefined) return data.sizes();
  const [name, value] = isGrouped ? ["grouping", grouping] : ["packing", packing];
  throw new BasicError(
    "E_CONFIG",
    `stage "${stageName}": ${name} "${value}" needs the rows of each sample, and this data does not tell them. ` +
      `Leave ${name} out, or give the data a method sizes().`,
  );
}
