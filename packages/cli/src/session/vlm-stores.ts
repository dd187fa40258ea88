import {
  BasicError,
  createFeatureSource,
  type FeatureSource,
  isDeviceImagined,
  trainedShare,
  type VisionEncoder,
  type VlmRecipe,
} from "@basic-mllm/core";
import {
  brokenImages,
  type ChannelStatistics,
  cacheFeatures,
  createPixelStore,
  type Dataset,
  type FeatureTable,
  type ImagePool,
  type ImageProcessor,
  type ImageRoot,
  imagesOf,
  readImageSizes,
  standardised,
  type VisualStore,
  withoutImages,
} from "@basic-mllm/data";

import type { Progress, Terminal } from "../terminal.js";
import { featureProgress } from "./feature-progress.js";
import { imaginedPictures } from "./imagined-pictures.js";
import type { TaskContext } from "./task.js";

/** Pictures that are looked at between two movements of the progress bar. */
const GROUP = 256;

/** What {@link openStores} needs besides the recipe. */
export interface StoreOptions {
  readonly encoder: VisionEncoder | FeatureSource;
  readonly processor: ImageProcessor;
  /** Of a trained run; default: those of the first training set. */
  readonly statistics: ChannelStatistics | null;
  /** Threads that open pictures; null: the main thread does. */
  readonly pool: ImagePool | null;
}

/** Pictures of one folder as the model sees them, and those that it cannot. */
export interface OpenStore {
  readonly store: VisualStore;
  /** Broken pictures, and why. */
  readonly broken: ReadonlyMap<string, string>;
}

/** A set of a recipe as it was read. */
export type NamedData = { readonly name: string; readonly data: Dataset };

/** One store per image folder. Statistics come from the first training set. */
export async function openStores(
  context: TaskContext<VlmRecipe>,
  options: StoreOptions,
  sets: readonly NamedData[],
): Promise<{ stores: (imageRoot: ImageRoot) => OpenStore; statistics: ChannelStatistics | null }> {
  const roots = [...new Set(sets.map(({ data }) => data.imageRoot))];
  const opened = new Map<ImageRoot, OpenStore>();
  const source = await featureSource(context.recipe, options.encoder);
  for (const root of roots) {
    const samples = sets.filter(({ data }) => data.imageRoot === root).flatMap(({ data }) => data.samples);
    opened.set(root, await openStore(context, options, { source, root, images: imagesOf(samples) }));
  }
  const [first] = sets;
  const measured =
    options.statistics === null && context.recipe.features.standardise && first !== undefined
      ? await statisticsOf(first.data, opened.get(first.data.imageRoot) as OpenStore)
      : null;
  const statistics = options.statistics ?? measured;
  const stores = (root: ImageRoot): OpenStore => {
    const found = opened.get(root) as OpenStore;
    return statistics === null ? found : { ...found, store: standardised(found.store, statistics) };
  };
  return { stores, statistics };
}

/** Mean and deviation of each feature channel over the whole pictures of a set. */
async function statisticsOf(data: Dataset, { store, broken }: OpenStore): Promise<ChannelStatistics | null> {
  if (!("statistics" in store)) return null;
  return (store as FeatureTable).statistics(imagesOf(withoutImages(data, broken).samples));
}

/** Whether pictures are opened again in every step, and not once for their features. */
export function readsPixels(recipe: VlmRecipe, encoder: VisionEncoder | FeatureSource): boolean {
  return "encode" in encoder && (trainsVision(recipe) || !recipe.features.cache);
}

function trainsVision({ stages }: VlmRecipe): boolean {
  return Object.values(stages).some((stage) => trainedShare(stage, "vision") !== "none");
}

/** The encoder as a source of features, where no stage trains it, and its device computes. */
async function featureSource(
  recipe: VlmRecipe,
  encoder: VisionEncoder | FeatureSource,
): Promise<FeatureSource | null> {
  if (!("encode" in encoder)) return encoder;
  const pixels = readsPixels(recipe, encoder);
  if (!pixels && isDeviceImagined()) return null;
  if (pixels && recipe.features.standardise) {
    throw new BasicError(
      "E_RECIPE_INVALID",
      `Recipe "${recipe.name}" standardises features, but ${trainsVision(recipe) ? "a stage trains the encoder" : "features.cache is false"}: ` +
        "statistics need cached features of a frozen encoder. Set features.standardise to false.",
    );
  }
  return pixels ? null : createFeatureSource(encoder, `layer${recipe.model.visionLayer}`);
}

async function openStore(
  { terminal, cache, recipe, signal }: TaskContext<VlmRecipe>,
  { encoder, processor, pool: threads }: StoreOptions,
  { source, root, images }: { source: FeatureSource | null; root: ImageRoot; images: readonly string[] },
): Promise<OpenStore> {
  const pool = threads === null ? {} : { pool: threads };
  const { decode } = processor;
  if (isDeviceImagined()) {
    const shape = await shapeOf(encoder);
    const sizes = processor.tiles && (await readImageSizes(root, images, decode));
    const place = { imageRoot: root, processor, shape, ...(sizes && { sizes }) };
    const { width, imageSize = 1 } = encoder;
    const store = imaginedPictures({
      ...place,
      ...(readsPixels(recipe, encoder) ? { imageSize } : { width }),
    });
    return { store, broken: new Map() };
  }
  if (source === null) {
    const shape = await shapeOf(encoder);
    // Under the policy "error" the picture is named when it is read.
    const look = recipe.data.onImageError === "skip-and-count";
    const pictures = { root, images, decode };
    const broken = look ? await lookAtPictures({ terminal, signal }, pictures) : new Map<string, string>();
    const whole = images.filter((image) => !broken.has(image));
    const sizes = processor.tiles && (await readImageSizes(root, whole, decode));
    const store = createPixelStore({ imageRoot: root, processor, shape, ...(sizes && { sizes }), ...pool });
    return { store, broken };
  }
  const progress = featureProgress(terminal);
  const table = await cacheFeatures({
    source,
    processor,
    imageRoot: root,
    images,
    folder: cache,
    onImageError: recipe.data.onImageError,
    onProgress: progress.update,
    ...(signal !== undefined && { signal }),
    ...pool,
  }).finally(progress.stop);
  return { store: table, broken: table.broken };
}

/** Pictures of a folder, and how they are decoded. */
interface Pictures {
  readonly root: ImageRoot;
  readonly images: readonly string[];
  readonly decode: ImageProcessor["decode"];
}

/** Decodes every picture once and finds those that are broken. */
async function lookAtPictures(
  { terminal, signal }: { readonly terminal: Terminal; readonly signal: AbortSignal | undefined },
  { root, images, decode }: Pictures,
): Promise<ReadonlyMap<string, string>> {
  const progress = patient(terminal, "pictures");
  const broken = new Map<string, string>();
  try {
    for (let start = 0; start < images.length; start += GROUP) {
      if (signal?.aborted === true) {
        throw new BasicError(
          "E_INTERRUPTED",
          `Stopped after looking at ${start} of ${images.length} pictures. Start again to look at them all.`,
        );
      }
      for (const entry of await brokenImages(root, images.slice(start, start + GROUP), decode))
        broken.set(...entry);
      progress.update(Math.min(start + GROUP, images.length), images.length);
    }
    return broken;
  } finally {
    progress.stop();
  }
}

/** A progress bar for work that takes long; short work shows none. */
function patient(terminal: Terminal, title: string) {
  let progress: Progress | undefined;
  const start = Date.now();
  return {
    update: (done: number, total: number): void => {
      if (progress === undefined && Date.now() - start < 500) return;
      progress ??= terminal.progress(title, total);
      progress.update(done);
    },
    stop: () => progress?.stop(),
  };
}

/** Rows that an encoder makes of a picture: found by encoding an empty one. */
async function shapeOf(encoder: VisionEncoder | FeatureSource) {
  const source = "encode" in encoder ? await createFeatureSource(encoder, "shape") : encoder;
  const { imageSize: size = 1 } = encoder;
  const rows = await source.features({
    pixels: new Float32Array(size * size * 3),
    shape: [1, size, size, 3],
  });
  return { rows: rows.offsets[1] ?? 0, grid: rows.grids[0] ?? null };
}
