import { existsSync } from "node:fs";
import { join } from "node:path";
import {
  BasicError,
  didYouMean,
  type Projector,
  type TrainingData,
  type VlmBatch,
  type VlmRecipe,
} from "@basic-mllm/core";
import {
  type ChannelStatistics,
  createVlmData,
  type Dataset,
  findTemplate,
  type ImageRoot,
  imagesOf,
  type LabelledAnswers,
  readDataset,
  type Sample,
  type TextTokenizer,
  type VisualStore,
  withoutImages,
  withoutPictures,
} from "@basic-mllm/data";
import type { QuestionItem, QuestionType } from "@basic-mllm/evaluate";
import { templateWords } from "@basic-mllm/scenes";

import type { Terminal } from "../terminal.js";
import { openPictureThreads } from "./picture-threads.js";
import { openScenes } from "./scenes.js";
import type { TaskContext } from "./task.js";
import { type NamedData, type OpenStore, openStores, readsPixels, type StoreOptions } from "./vlm-stores.js";

/** A named set of samples with the pictures they show. */
export interface VlmSet {
  readonly name: string;
  readonly samples: readonly Sample[];
  readonly imageRoot: ImageRoot;
  readonly store: VisualStore;
}

/** All sets of a recipe, ready for batches. */
export interface VlmSets {
  /** What features are standardised with; null where they are used as they are. */
  readonly statistics: ChannelStatistics | null;
  readonly train: ReadonlyMap<string, VlmSet>;
  readonly evaluation: ReadonlyMap<string, VlmSet>;
  /** Ends the threads that open pictures. */
  close(): void;
}

/**
 * Reads (and builds, on first use) the data of a recipe, and the features of a frozen encoder.
 *
 * @param options - `blind`: the same samples without their pictures.
 */
export async function openVlmSets(
  context: TaskContext<VlmRecipe>,
  { blind, ...options }: Omit<StoreOptions, "pool"> & { readonly blind: boolean },
): Promise<VlmSets> {
  const { recipe } = context;
  const needed = Object.keys({ ...recipe.data.train, ...recipe.data.evaluation }).length > 0;
  const folder = needed ? await dataFolder(context) : "";
  const read = (sources: VlmRecipe["data"]["train"]) =>
    Promise.all(
      Object.entries(sources).map(async ([name, source]) => ({
        name,
        data: await readSet(folder, source, recipe),
      })),
    );
  const train = await read(recipe.data.train);
  const evaluation = await read(recipe.data.evaluation);
  const threads = blind || !needed ? null : await openPictureThreads(context);
  const close = (): void => threads?.close();
  try {
    const pool = threads?.pool ?? null;
    const { stores, statistics } = await openStores(context, { ...options, pool }, [...train, ...evaluation]);
    // Features are ready now; pixels are read while the model trains.
    if (!readsPixels(recipe, options.encoder)) close();
    // The baseline has the same data: it would only repeat what was said.
    const warn = blind ? () => undefined : context.terminal.warn;
    const open = (named: NamedData): VlmSet => {
      const set = setWith(named, stores(named.data.imageRoot), warn);
      return blind ? { ...set, samples: set.samples.map(withoutPictures) } : set;
    };
    const bySet = (sets: typeof train): ReadonlyMap<string, VlmSet> =>
      new Map(sets.map((named) => [named.name, open(named)]));
    return { train: bySet(train), evaluation: bySet(evaluation), statistics, close };
  } catch (error) {
    close();
    throw error;
  }
}

/** Where the sets lie, after the recipe's builder has made them. */
async function dataFolder(context: TaskContext<VlmRecipe>): Promise<string> {
  const { folder = ".", builder } = context.recipe.data;
  if (builder === undefined) return folder;
  if (builder.name === "scenes") return openScenes(context);
  throw new BasicError(
    "E_NAME_UNKNOWN",
    `There is no data builder "${builder.name}" for a multimodal recipe.${didYouMean(builder.name, ["scenes"])} ` +
      "Known: scenes. Name it in data.builder, or leave data.builder out where the data is there already.",
  );
}

/** A set without the samples whose pictures are missing or broken; says how many those are. */
function setWith({ name, data }: NamedData, { store, broken }: OpenStore, warn: Terminal["warn"]): VlmSet {
  const { samples, imageRoot } = withoutImages(data, broken);
  const missing = [...new Set(data.skipped.map(({ image }) => image))];
  const unreadable = imagesOf(data.samples).filter((image) => broken.has(image));
  const read = data.samples.length + data.skipped.length;
  const reasons = [...counted(missing, "missing"), ...counted(unreadable, "broken")].join(", ");
  if (samples.length === 0) {
    throw new BasicError(
      "E_DATA_EMPTY",
      `set "${name}": expected at least one sample whose pictures are whole, got none of ${read}: ${reasons}. Replace the pictures.`,
    );
  }
  if (reasons !== "") {
    warn(`set "${name}": ${read - samples.length} of ${read} samples are left out: ${reasons}`);
  }
  return { name, samples, imageRoot, store };
}

function counted(images: readonly string[], what: string): readonly string[] {
  const [first] = images;
  if (first === undefined) return [];
  return [
    images.length === 1
      ? `1 picture is ${what} (${first})`
      : `${images.length} pictures are ${what} (first ${first})`,
  ];
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
    ...(images !== undefined && { imageRoot: join(folder, images) }),
    onImageError: recipe.data.onImageError,
    ...(limit !== undefined && { limit }),
  });
}

/** What turns samples into batches. */
export interface BatchOptions {
  readonly tokenizer: TextTokenizer;
  readonly projector: Projector;
  readonly template: string;
  readonly rowBudget?: number;
  /** Which answers of a conversation have labels. Default: all. */
  readonly answers?: LabelledAnswers;
}

/** Batches of a set under a template. */
export function batchesOf(set: VlmSet, options: BatchOptions): TrainingData<VlmBatch> {
  const { tokenizer, projector, template, rowBudget, answers = "all" } = options;
  return createVlmData({
    samples: set.samples,
    store: set.store,
    tokenizer,
    template: findTemplate(template, tokenizer),
    answers,
    gridAfter: (grid, rows) => projector.gridAfter(grid, rows),
    templateWords: new Set(templateWords),
    ...(rowBudget !== undefined && { pack: { rowBudget } }),
  });
}

/** The first n pictures with all their questions, in the order of the set. A text-only sample counts as a picture. */
export function firstPictures(set: VlmSet, count: number): VlmSet {
  const seen = new Set<string>();
  const samples = set.samples.filter(({ images }, i) => {
    const shown = images.length === 0 ? `\0sample ${i}` : images.join("\0");
    if (!seen.has(shown) && seen.size === count) return false;
    seen.add(shown);
    return true;
  });
  return { ...set, samples };
}

/** The questions of an evaluation set: the last one of each sample, typed where the data says so. */
export function questionsOf(set: VlmSet): readonly QuestionItem[] {
  return set.samples.map(({ id, conversations, metadata }) => {
    const last = conversations.findLastIndex(({ from }) => from === "gpt");
    const [asked, answered] = [conversations[last - 1]?.value ?? "", conversations[last]?.value ?? ""];
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
