import { existsSync } from "node:fs";
import { dirname, join } from "node:path";
import {
  BasicError,
  createFeatureSource,
  type FeatureSource,
  type Projector,
  type TrainingData,
  type VisionEncoder,
  type VlmBatch,
  type VlmRecipe,
} from "@basic-mllm/core";
import {
  blind as blindStore,
  type ChannelStatistics,
  cacheFeatures,
  createPixelStore,
  createVlmData,
  type Dataset,
  type FeatureTable,
  findTemplate,
  type ImageProcessor,
  imagesOf,
  readDataset,
  type Sample,
  standardised,
  type TextTokenizer,
  type VisualStore,
  withoutImages,
} from "@basic-mllm/data";
import type { QuestionItem, QuestionType } from "@basic-mllm/evaluate";
import { templateWords } from "@basic-mllm/scenes";

import { openScenes } from "./scenes.js";
import type { TaskContext } from "./task.js";

/** A named set of samples with the pictures they show. */
export interface VlmSet {
  readonly name: string;
  readonly samples: readonly Sample[];
  readonly imageRoot: string;
  readonly store: VisualStore;
}

/** All sets of a recipe, ready for batches. */
export interface VlmSets {
  /** What features are standardised with; null where they are used as they are. */
  readonly statistics: ChannelStatistics | null;
  readonly train: ReadonlyMap<string, VlmSet>;
  readonly evaluation: ReadonlyMap<string, VlmSet>;
}

/** What {@link openVlmSets} needs besides the recipe. */
export interface VlmSetOptions {
  readonly encoder: VisionEncoder | FeatureSource;
  readonly processor: ImageProcessor;
  /** Replaces every feature by zero: the baseline that never sees a picture. */
  readonly blind: boolean;
}

/** Reads (and builds, on first use) the data of a recipe, and the features of a frozen encoder. */
export async function openVlmSets(context: TaskContext<VlmRecipe>, options: VlmSetOptions): Promise<VlmSets> {
  const { recipe } = context;
  const folder =
    recipe.data.builder?.name === "scenes" ? await openScenes(context) : (recipe.data.folder ?? ".");
  const read = (sources: VlmRecipe["data"]["train"]) =>
    Promise.all(
      Object.entries(sources).map(async ([name, source]) => ({
        name,
        data: await readSet(folder, source, recipe),
      })),
    );
  const train = await read(recipe.data.train);
  const evaluation = await read(recipe.data.evaluation);
  const { stores, statistics } = await openStores(context, options, [...train, ...evaluation]);
  const bySet = (sets: typeof train): ReadonlyMap<string, VlmSet> =>
    new Map(sets.map(({ name, data }) => [name, setWith(name, data, stores(data.imageRoot))]));
  return { train: bySet(train), evaluation: bySet(evaluation), statistics };
}

async function readSet(
  folder: string,
  source: VlmRecipe["data"]["train"][string],
  recipe: VlmRecipe,
): Promise<Dataset> {
  const named = join(folder, source.file);
  const file = existsSync(`${named}.json`) ? `${named}.json` : named;
  const { images, limit } = source as { images?: string; limit?: number };
  return readDataset(file, {
    imageRoot: images === undefined ? dirname(file) : join(folder, images),
    onImageError: recipe.data.onImageError,
    ...(limit !== undefined && { limit }),
  });
}

interface OpenStore {
  readonly store: VisualStore;
  readonly broken: ReadonlyMap<string, string>;
}

type NamedData = { readonly name: string; readonly data: Dataset };

/** One store per image folder. Statistics come from the first training set. */
async function openStores(
  context: TaskContext<VlmRecipe>,
  options: VlmSetOptions,
  sets: readonly NamedData[],
): Promise<{ stores: (imageRoot: string) => OpenStore; statistics: ChannelStatistics | null }> {
  const roots = [...new Set(sets.map(({ data }) => data.imageRoot))];
  const opened = new Map<string, OpenStore>();
  const source = await featureSource(context.recipe, options.encoder);
  for (const root of roots) {
    const samples = sets.filter(({ data }) => data.imageRoot === root).flatMap(({ data }) => data.samples);
    opened.set(root, await openStore(context, options, { source, root, images: imagesOf(samples) }));
  }
  const [first] = sets;
  const table = first && opened.get(first.data.imageRoot)?.store;
  const statistics =
    context.recipe.features.standardise && table !== undefined && "statistics" in table
      ? await (table as FeatureTable).statistics(imagesOf(first?.data.samples ?? []))
      : null;
  const stores = (root: string): OpenStore => {
    const found = opened.get(root) as OpenStore;
    const store = statistics === null ? found.store : standardised(found.store, statistics);
    return { ...found, store: options.blind ? blindStore(store) : store };
  };
  return { stores, statistics };
}

/** The encoder as a source of features, where no stage trains it. */
async function featureSource(
  recipe: VlmRecipe,
  encoder: VisionEncoder | FeatureSource,
): Promise<FeatureSource | null> {
  if (!("encode" in encoder)) return encoder;
  const trains = Object.values(recipe.stages).some((stage) => stage.train.includes("vision"));
  const pixels = trains || !recipe.features.cache;
  if (pixels && recipe.features.standardise) {
    throw new BasicError(
      "E_RECIPE_INVALID",
      `Recipe "${recipe.name}" standardises features, but ${trains ? "a stage trains the encoder" : "features.cache is false"}: ` +
        "statistics need cached features of a frozen encoder. Set features.standardise to false.",
    );
  }
  return pixels ? null : createFeatureSource(encoder, `layer${recipe.model.visionLayer}`);
}

async function openStore(
  { terminal, cache, recipe }: TaskContext<VlmRecipe>,
  { encoder, processor }: VlmSetOptions,
  { source, root, images }: { source: FeatureSource | null; root: string; images: readonly string[] },
): Promise<OpenStore> {
  if (source === null) {
    const { imageSize } = encoder as VisionEncoder;
    const shape = await shapeOf(encoder as VisionEncoder, imageSize);
    return { store: createPixelStore({ imageRoot: root, processor, shape }), broken: new Map() };
  }
  let progress: ReturnType<typeof terminal.progress> | undefined;
  const start = Date.now();
  const table = await cacheFeatures({
    source,
    processor,
    imageRoot: root,
    images,
    folder: cache,
    onImageError: recipe.data.onImageError,
    onProgress: (done, total) => {
      if (progress === undefined && Date.now() - start < 500) return;
      progress ??= terminal.progress("features", total);
      progress.update(done);
    },
  });
  progress?.stop();
  if (table.broken.size > 0)
    terminal.warn(
      `${table.broken.size} broken pictures are left out, for example ${[...table.broken][0]?.[1]}`,
    );
  return { store: table, broken: table.broken };
}

/** Rows that an encoder makes of a picture: found by encoding an empty one. */
async function shapeOf(encoder: VisionEncoder, size: number) {
  const source = await createFeatureSource(encoder, "shape");
  const rows = await source.features({
    pixels: new Float32Array(size * size * 3),
    shape: [1, size, size, 3],
  });
  return { rows: rows.offsets[1] ?? 0, grid: rows.grids[0] ?? null };
}

function setWith(name: string, data: Dataset, { store, broken }: OpenStore): VlmSet {
  const { samples, imageRoot } = withoutImages(data, broken);
  return { name, samples, imageRoot, store };
}

/** What turns samples into batches. */
export interface BatchOptions {
  readonly tokenizer: TextTokenizer;
  readonly projector: Projector;
  readonly template: string;
  readonly rowBudget?: number;
}

/** Batches of a set under a template. */
export function batchesOf(set: VlmSet, options: BatchOptions): TrainingData<VlmBatch> {
  const { tokenizer, projector, template, rowBudget } = options;
  return createVlmData({
    samples: set.samples,
    store: set.store,
    tokenizer,
    template: findTemplate(template),
    gridAfter: (grid, rows) => projector.gridAfter(grid, rows),
    templateWords: new Set(templateWords),
    ...(rowBudget !== undefined && { pack: { rowBudget } }),
  });
}

/** The questions of an evaluation set: one sample each, typed where the data says so. */
export function questionsOf(set: VlmSet): readonly QuestionItem[] {
  return set.samples.map(({ id, conversations, metadata }) => {
    const [asked, answered] = [conversations.at(-2)?.value ?? "", conversations.at(-1)?.value ?? ""];
    const question = asked.replaceAll("<image>", "").trim();
    return { id, type: typeOf(metadata), question, truth: answered };
  });
}

function typeOf(metadata: Readonly<Record<string, unknown>>): QuestionType {
  const { question, negative } = metadata;
  if (question === "no") return negative === "adversarial" ? "no-adversarial" : "no-random";
  const known: readonly string[] = ["name", "kind", "where", "color", "count", "yes"];
  return typeof question === "string" && known.includes(question) ? (question as QuestionType) : "answer";
}
