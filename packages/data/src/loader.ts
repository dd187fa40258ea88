import {
  type BatchWords,
  type Grid,
  meaningfulWords,
  type SampleSizes,
  type TrainingData,
  type VlmBatch,
} from "@basic-mllm/core";

import { type PackOptions, packSamples } from "./packing.js";
import { arrangementOf, countRowsAfter, type GridAfter, rowsAfter } from "./picture-rows.js";
import { IMAGE_PLACEHOLDER, type Sample } from "./samples.js";
import { IMAGE_SLOT, type TokenSample } from "./segments.js";
import { encodeSample, type LabelledAnswers, type Template } from "./templates.js";
import type { TextTokenizer } from "./tokenizer.js";
import type { ImageShape, VisualStore } from "./visual-store.js";

/** What {@link createVlmData} puts together. */
export interface VlmDataOptions {
  readonly samples: readonly Sample[];
  readonly template: Template;
  /** Which answers of a conversation have labels. Default: all. */
  readonly answers?: LabelledAnswers;
  readonly tokenizer: TextTokenizer;
  /** Features or pixels of the images; null for text alone. */
  readonly store: VisualStore | null;
  /** The projector's `gridAfter`. Default: rows pass as they are. */
  readonly gridAfter?: (grid: Grid, rows: number) => ImageShape;
  readonly pack?: PackOptions;
  /** Words of the template, to leave out of the meaningful share. Absent: batches carry no words. */
  readonly templateWords?: ReadonlySet<string>;
}

/** Tokens of this many samples are kept; a larger set is encoded again each time. */
const KEPT_SAMPLES = 100_000;

/**
 * Training data of the multimodal objective. A batch depends on the indices alone.
 *
 * @throws `BasicError` from `batch`: those of {@link encodeSample} and {@link packSamples}.
 */
export function createVlmData(options: VlmDataOptions): TrainingData<VlmBatch> {
  const { samples, template, tokenizer, store } = options;
  const gridAfter = options.gridAfter ?? ((grid: Grid, rows: number): ImageShape => ({ grid, rows }));
  const pack = { padId: tokenizer.special.pad ?? 0, ...options.pack };
  const kept = new Map<number, TokenSample>();
  const encode = (index: number): TokenSample => {
    const known = kept.get(index);
    if (known !== undefined) return known;
    const encoded = encodeSample(template, tokenizer, samples[index] as Sample, options.answers);
    if (kept.size < KEPT_SAMPLES) kept.set(index, encoded);
    return encoded;
  };
  const shapesOf = ({ images }: TokenSample) =>
    store === null ? [] : images.map((image) => rowsAfter(store.shape(image), gridAfter));
  const measure = (): SampleSizes => ({
    rows: Int32Array.from(samples, (_, index) => {
      const { ids, images } = encode(index);
      const words = ids.reduce((sum, id) => sum + (id === IMAGE_SLOT ? 0 : 1), 0);
      return words + visualRows(store, images, gridAfter);
    }),
    visual: Uint8Array.from(samples, ({ images }) => (images.length > 0 ? 1 : 0)),
    id: (index) => (samples[index] as Sample).id,
  });
  let sizes: SampleSizes | undefined;
  return {
    size: samples.length,
    ...(store !== null && isCut(samples, store) && { heaviest: heaviestOf(samples, store, gridAfter) }),
    sizes: () => {
      sizes ??= measure();
      return sizes;
    },
    batch: async (indices) => {
      const chosen = Array.from(indices, encode);
      const images = store === null ? [] : chosen.flatMap((sample) => sample.images);
      const shapes = chosen.map(shapesOf);
      const packed = packSamples(
        chosen,
        shapes.map((list) => list.map(({ rows }) => rows)),
        pack,
      );
      const visual = store === null || images.length === 0 ? null : await store.read(images);
      const sampleIds = chosen.map(({ id }) => id);
      const arrangement = arrangementOf(shapes.flat());
      const batch = { packed, visual, sampleIds, ...(arrangement && { arrangement }) };
      if (options.templateWords === undefined) return batch;
      const texts = Array.from(indices, (index) => samples[index] as Sample);
      return { ...batch, words: batchWords(texts, shapes, options.templateWords) };
    },
  };
}

/** Whether pictures are cut into tiles, so that their rows differ. */
function isCut(samples: readonly Sample[], store: VisualStore): boolean {
  const [image] = samples.find(({ images }) => images.length > 0)?.images ?? [];
  return image !== undefined && store.shape(image).tiles !== undefined;
}

function visualRows(store: VisualStore | null, images: readonly string[], gridAfter: GridAfter): number {
  if (store === null) return 0;
  return images.reduce((sum, image) => sum + countRowsAfter(store.shape(image), gridAfter), 0);
}

/** Characters of a token, about. */
const TOKEN_LENGTH = 4;

/** Samples with the most rows, most first: those of pictures are exact, tokens are estimated. */
function heaviestOf(
  samples: readonly Sample[],
  store: VisualStore,
  gridAfter: GridAfter,
): (count: number) => Int32Array {
  let sorted: Int32Array | undefined;
  const rowsOf = ({ images, conversations }: Sample): number => {
    const characters = conversations.reduce((sum, { value }) => sum + value.length, 0);
    return visualRows(store, images, gridAfter) + characters / TOKEN_LENGTH;
  };
  return (count) => {
    if (sorted === undefined) {
      const rows = samples.map(rowsOf);
      sorted = Int32Array.from(samples.keys()).sort((a, b) => (rows[b] as number) - (rows[a] as number));
    }
    return sorted.subarray(0, count);
  };
}

/** What {@link createTextData} puts together. */
export interface TextDataOptions {
  /** Number of documents, of an epoch where they are endless. */
  readonly size: number;
  /** Document by number. */
  readonly document: (index: number) => TokenSample;
  readonly pack?: PackOptions;
}

/** Training data of a language model: documents with a weight for each token. */
export function createTextData({ size, document, pack = {} }: TextDataOptions): TrainingData<VlmBatch> {
  return {
    size,
    batch: async (indices) => {
      const documents = Array.from(indices, document);
      return {
        packed: packSamples(
          documents,
          documents.map(() => []),
          pack,
        ),
        visual: null,
        sampleIds: documents.map(({ id }) => id),
      };
    },
  };
}

/** Words of what is drawn in each region of an image, row by row. */
interface Regions {
  readonly grid: readonly [number, number];
  readonly words: readonly (readonly string[])[];
}

function batchWords(
  samples: readonly Sample[],
  shapes: readonly (readonly ImageShape[])[],
  templateWords: ReadonlySet<string>,
): BatchWords {
  const regions = samples.map(readRegions);
  const perSample = samples.map((sample, index) => {
    const texts = sample.conversations.map(({ value }) => value.replaceAll(IMAGE_PLACEHOLDER, ""));
    const said = meaningfulWords(texts, templateWords);
    return new Set([...said, ...(regions[index]?.words.flat() ?? [])]);
  });
  const known = samples.every((sample, index) => sample.images.length === 0 || regions[index] !== null);
  if (!known) return { samples: perSample };
  const rows = shapes.flatMap((images, index) =>
    images.flatMap((shape) => rowWords(shape, regions[index] as Regions)),
  );
  return { samples: perSample, rows };
}

/** The words under each row of an image; none where the rows are no grid. */
function rowWords({ rows, grid }: ImageShape, regions: Regions): readonly ReadonlySet<string>[] {
  const sets = regions.words.map((words) => new Set(words));
  return Array.from({ length: rows }, (_, row) => {
    if (grid === null) return new Set<string>();
    const [height, width] = grid;
    const y = Math.floor((Math.floor(row / width) * regions.grid[0]) / height);
    const x = Math.floor(((row % width) * regions.grid[1]) / width);
    return sets[y * regions.grid[1] + x] ?? new Set<string>();
  });
}

/** `metadata.regions` of a sample with one image: `{ grid: [rows, columns], words: [[…], …] }`. */
function readRegions({ metadata, images }: Sample): Regions | null {
  const regions = metadata["regions"];
  if (images.length !== 1 || typeof regions !== "object" || regions === null) return null;
  const { grid, words } = regions as Partial<Regions>;
  const whole =
    Array.isArray(grid) &&
    Array.isArray(words) &&
    words.length === grid[0] * grid[1] &&
    words.every((list) => Array.isArray(list));
  return whole ? (regions as Regions) : null;
}
