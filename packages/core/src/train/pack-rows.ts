import { BasicError } from "../errors.js";

/** What a step's micro-batches must keep to. */
export interface RowPacking {
  /** Largest number of rows of a micro-batch. */
  readonly budget: number;
  /** Micro-batches are a multiple of this many, and so are samples: ranks take equal numbers of them. Default 1. */
  readonly multiple?: number;
}

interface MicroBatch {
  /** Places of its samples in the step. */
  readonly places: number[];
  rows: number;
}

/**
 * Divides the samples of a step into few micro-batches within a budget of rows: first fit, the longest samples first.
 * Depends on the arguments alone. No order but that of micro-batches changes: one that holds all samples has them as
 * they are.
 *
 * A sample that is longer than the budget gets a micro-batch to itself.
 *
 * @param samples - Indices of the step's samples.
 * @param rowsOf - Rows of a sample, by its index.
 * @returns Indices of each micro-batch, those with the most rows first: at most 11/9 of the fewest that could do, and one
 *   (Dósa, "The tight bound of first fit decreasing bin-packing algorithm", 2007), and what `multiple` asks for.
 * @throws {@link BasicError} `E_CONFIG` for samples that are no multiple of `multiple`.
 */
export function packStep(
  samples: Int32Array,
  rowsOf: (index: number) => number,
  { budget, multiple = 1 }: RowPacking,
): readonly Int32Array[] {
  checkMultiple(samples.length, multiple);
  const lengths = Array.from(samples, rowsOf);
  const lengthOf = (place: number): number => lengths[place] as number;
  const longestFirst = [...lengths.keys()].sort((a, b) => lengthOf(b) - lengthOf(a));
  const filled: MicroBatch[] = [];
  for (const place of longestFirst) {
    const open = filled.find(({ rows }) => rows + lengthOf(place) <= budget);
    if (open === undefined) filled.push({ places: [place], rows: lengthOf(place) });
    else {
      open.places.push(place);
      open.rows += lengthOf(place);
    }
  }
  while (filled.length % multiple !== 0) {
    const fullest = filled.reduce((most, one) => (one.places.length > most.places.length ? one : most));
    const moved = fullest.places.pop() as number;
    fullest.rows -= lengthOf(moved);
    filled.push({ places: [moved], rows: lengthOf(moved) });
  }
  // Ranks take one each at a time: alike in rows.
  return filled
    .sort((a, b) => b.rows - a.rows)
    .map(({ places }) =>
      Int32Array.from(
        places.sort((a, b) => a - b),
        (place) => samples[place] as number,
      ),
    );
}

/** Else no division into that many micro-batches leaves none of them empty. */
function checkMultiple(samples: number, multiple: number): void {
  if (samples % multiple === 0) return;
  throw new BasicError(
    "E_CONFIG",
    `packStep: expected samples in a multiple of ${multiple} (\`multiple\`, the number of ranks), got ${samples}. Give each rank as many samples.`,
  );
}
