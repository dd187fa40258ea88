import { BasicError, IGNORED_LABEL, type ImageSpan, type PackedRows } from "@basic-mllm/core";

import { IMAGE_SLOT, type TokenSample } from "./segments.js";

/** Limits and fillers of {@link packSamples}. */
export interface PackOptions {
  /** Largest number of rows of the batch. Default: no limit. */
  readonly rowBudget?: number;
  /** The batch is filled up to a multiple of this with one dummy sample. Default 1: none. */
  readonly rowMultiple?: number;
  /** Token of the dummy sample. Default 0. */
  readonly padId?: number;
  /** Whether a batch without any label is an error. Default true; false for prompts. */
  readonly requireLabels?: boolean;
}

/**
 * Lays samples one after the other, without padding, and shifts the labels by one row.
 *
 * Row r is trained on the token of row r + 1 of its sample; the last row of a sample on nothing.
 *
 * @param samples - B samples.
 * @param imageRows - For each sample, the rows that each of its images takes at the LLM's input.
 * @throws `BasicError` `E_ROW_BUDGET`; `E_IMAGE_TOKENS` when slots and images differ in number;
 *   `E_LABELS_MASKED` when no row of the batch has a label and labels are required.
 */
export function packSamples(
  samples: readonly TokenSample[],
  imageRows: readonly (readonly number[])[],
  options: PackOptions = {},
): PackedRows {
  const lengths = samples.map((sample, index) => countRows(sample, imageRows[index] ?? []));
  const used = lengths.reduce((sum, length) => sum + length, 0);
  checkBudget(samples, lengths, options.rowBudget);
  const { rowMultiple = 1, padId = 0, requireLabels = true } = options;
  const filler = (rowMultiple - (used % rowMultiple)) % rowMultiple;
  const batch = emptyBatch(used + filler, samples.length + (filler > 0 ? 1 : 0));
  let row = 0;
  for (const [index, sample] of samples.entries()) {
    batch.offsets[index] = row;
    row = writeSample(batch, { sample, index, row, imageRows: imageRows[index] ?? [] });
  }
  batch.offsets[samples.length] = row;
  if (filler > 0) {
    batch.ids.fill(padId, row);
    for (let i = 0; i < filler; i++) batch.positions[row + i] = i;
    batch.offsets[samples.length + 1] = row + filler;
  }
  return finish(batch, requireLabels);
}

/** What {@link unpackRows} gives back of a sample. */
export interface UnpackedSample {
  readonly ids: Int32Array;
  readonly weights: Float32Array;
  readonly imageRows: readonly number[];
}

/** The samples of a batch: the reverse of {@link packSamples}. The first token's weight is lost: nothing predicts it. */
export function unpackRows(packed: PackedRows): readonly UnpackedSample[] {
  return Array.from({ length: packed.offsets.length - 1 }, (_, sample) => {
    const ids: number[] = [];
    const weights: number[] = [];
    const start = packed.offsets[sample] as number;
    const imageRows = packed.images.filter((image) => image.sample === sample).map(({ length }) => length);
    const images = new Set(packed.images.map((image) => image.start));
    for (let row = start; row < (packed.offsets[sample + 1] as number); row++) {
      const id = packed.ids[row] as number;
      if (id < 0 && !images.has(row)) continue;
      ids.push(id < 0 ? IMAGE_SLOT : id);
      const trained = row > start && packed.labels[row - 1] !== IGNORED_LABEL;
      weights.push(trained ? (packed.labelWeights?.[row - 1] ?? 1) : 0);
    }
    return { ids: Int32Array.from(ids), weights: Float32Array.from(weights), imageRows };
  });
}

interface Batch {
  readonly ids: Int32Array;
  readonly offsets: Int32Array;
  readonly positions: Int32Array;
  readonly images: ImageSpan[];
  readonly countsAsText: Int32Array;
  readonly labels: Int32Array;
  readonly labelWeights: Float32Array;
  visual: number;
}

function emptyBatch(rows: number, samples: number): Batch {
  return {
    ids: new Int32Array(rows),
    offsets: new Int32Array(samples + 1),
    positions: new Int32Array(rows),
    images: [],
    countsAsText: new Int32Array(rows),
    labels: new Int32Array(rows).fill(IGNORED_LABEL),
    labelWeights: new Float32Array(rows),
    visual: 0,
  };
}

interface Placement {
  readonly sample: TokenSample;
  readonly index: number;
  readonly row: number;
  readonly imageRows: readonly number[];
}

/** Writes a sample from `row` on and returns the row after it. */
function writeSample(batch: Batch, { sample, index, row, imageRows }: Placement): number {
  let at = row;
  let image = 0;
  for (const [place, id] of sample.ids.entries()) {
    if (id === IMAGE_SLOT) {
      const length = imageRows[image++] as number;
      batch.images.push({ sample: index, start: at, length });
      for (let i = 0; i < length; i++) {
        batch.positions[at] = at - row;
        batch.ids[at++] = -1 - batch.visual++;
      }
      continue;
    }
    const weight = sample.weights[place] as number;
    if (at > row && weight > 0) {
      batch.labels[at - 1] = id;
      batch.labelWeights[at - 1] = weight;
    }
    batch.positions[at] = at - row;
    batch.countsAsText[at] = 1;
    batch.ids[at++] = id;
  }
  return at;
}

function finish({ visual: _, labelWeights, ...batch }: Batch, requireLabels: boolean): PackedRows {
  if (requireLabels && !labelWeights.some((weight) => weight > 0)) {
    throw new BasicError(
      "E_LABELS_MASKED",
      `pack: none of the ${batch.ids.length} rows of this batch has a label, so there is nothing to train. ` +
        "Check the template and the answers of the samples.",
    );
  }
  const plain = labelWeights.every((weight) => weight === 0 || weight === 1);
  return plain ? batch : { ...batch, labelWeights };
}

function countRows(sample: TokenSample, imageRows: readonly number[]): number {
  const slots = sample.ids.reduce((sum, id) => sum + (id === IMAGE_SLOT ? 1 : 0), 0);
  if (slots !== imageRows.length) {
    throw new BasicError(
      "E_IMAGE_TOKENS",
      `sample "${sample.id}": expected one image for each of the ${slots} <image> in its text, got ${imageRows.length}. ` +
        "Give an image for each placeholder, or remove what is too many.",
    );
  }
  return sample.ids.length - slots + imageRows.reduce((sum, rows) => sum + rows, 0);
}

function checkBudget(
  samples: readonly TokenSample[],
  lengths: readonly number[],
  budget = Number.POSITIVE_INFINITY,
): void {
  const longest = lengths.indexOf(Math.max(...lengths));
  const sample = samples[longest];
  if (sample !== undefined && (lengths[longest] as number) > budget) {
    throw new BasicError(
      "E_ROW_BUDGET",
      `sample "${sample.id}": expected at most ${budget} rows (the row budget), got ${lengths[longest]}. ` +
        "Shorten or remove the sample, or raise rowBudget.",
    );
  }
  const used = lengths.reduce((sum, length) => sum + length, 0);
  if (used > budget) {
    throw new BasicError(
      "E_ROW_BUDGET",
      `pack: expected at most ${budget} rows (the row budget), got ${used} from ${samples.length} samples. ` +
        'Use a smaller batchSize with more accumulate, raise rowBudget, or set packing to "rows".',
    );
  }
}
