import { BasicError } from "../errors.js";
import type { RecipeStage } from "../recipe.js";
import type { SampleSizes, StepPosition, TrainingData } from "./objective.js";
import { packStep } from "./pack-rows.js";

/** Micro-batches that hold a sum of gradients and gradients of their own: more of them take no more memory. */
const REPEATED = 2;

/**
 * Steps whose micro-batches take the most memory that any step of a stage can take: rows, and pictures. None where
 * samples are alike and micro-batches hold equal numbers of them.
 */
export async function heaviestSteps<Batch>(
  data: TrainingData<Batch>,
  stage: RecipeStage,
  position: StepPosition,
): Promise<readonly (readonly Batch[])[]> {
  if (stage.packing === "rows" && data.sizes !== undefined) {
    const { repeats, batches } = fullest(data.sizes(), stage);
    const loaded = await Promise.all(batches.map((indices) => data.batch(indices, position)));
    return loaded.map((batch) => Array.from({ length: repeats }, () => batch));
  }
  const batch = await heaviestBatch(data, stage, position);
  return batch === null ? [] : [Array.from({ length: stage.accumulate }, () => batch)];
}

/** The largest samples that fit into the row budget together; null where samples are alike. */
async function heaviestBatch<Batch>(
  data: TrainingData<Batch>,
  { batchSize }: RecipeStage,
  position: StepPosition,
): Promise<Batch | null> {
  if (data.heaviest === undefined) return null;
  for (let count = batchSize; count > 1; count--) {
    try {
      return await data.batch(data.heaviest(count), position);
    } catch (error) {
      if (!(error instanceof BasicError) || error.code !== "E_ROW_BUDGET") throw error;
    }
  }
  return data.batch(data.heaviest(1), position);
}

/** Packed micro-batches up to the budget: of the longest samples, and of as many with pictures as fit. */
function fullest(
  { rows, visual }: SampleSizes,
  { batchSize, accumulate, rowBudget: budget }: RecipeStage,
): { readonly batches: readonly Int32Array[]; readonly repeats: number } {
  const rowsOf = (index: number): number => rows[index] ?? 0;
  const longestFirst = Int32Array.from({ length: rows.length }, (_, index) => index).sort(
    (a, b) => rowsOf(b) - rowsOf(a),
  );
  const most = batchSize * accumulate;
  const fill = (order: Int32Array): Int32Array => {
    let [used, count] = [0, 0];
    return order.filter((index) => {
      if (count === most || used + rowsOf(index) > budget) return false;
      used += rowsOf(index);
      count++;
      return true;
    });
  };
  const pictures = longestFirst.filter((index) => visual[index] === 1).reverse();
  const packed = packStep(longestFirst.subarray(0, most), rowsOf, { budget });
  return {
    batches: [longestFirst, pictures].map(fill).filter(({ length }) => length > 0),
    repeats: Math.min(REPEATED, packed.length),
  };
}
