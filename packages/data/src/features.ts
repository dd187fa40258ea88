import { createHash } from "node:crypto";
import { join } from "node:path";

import { BasicError, type FeatureSource, type Grid } from "@basic-mllm/core";

import type { ImagePolicy } from "./dataset.js";
import {
  encodeRows,
  type FeatureStorage,
  readShardHeader,
  type ShardEntry,
  type ShardImage,
  type StoredHeader,
  shardEntries,
  writeShard,
} from "./feature-shards.js";
import { createFeatureTable, type FeatureTable } from "./feature-table.js";
import type { ImagePool } from "./image-pool.js";
import { type ImageProcessor, toImageBatch } from "./image-processor.js";
import { openContent } from "./pixel-store.js";
import type { RgbImage } from "./resample.js";
import { type ImageRoot, imageSourceOf } from "./sources/image-source.js";
import type { FittedPicture } from "./tiles.js";

/** What {@link cacheFeatures} computes. */
export interface FeatureCacheOptions {
  readonly source: FeatureSource;
  readonly processor: ImageProcessor;
  readonly imageRoot: ImageRoot;
  /** Names of images, each once ({@link imagesOf}). */
  readonly images: readonly string[];
  /** Folder of the cache. */
  readonly folder: string;
  /** Default `float16`. */
  readonly storage?: FeatureStorage;
  /** Default `error`. */
  readonly onImageError?: ImagePolicy;
  /** Called with the number of images that are ready, and how many of those were computed now. */
  readonly onProgress?: (done: number, total: number, computed: number) => void;
  /** Stops the work between two batches of images. */
  readonly signal?: AbortSignal;
  /** Threads that decode and resize. Default: the main thread does. */
  readonly pool?: ImagePool;
}

/** Counts up where the same file and processor would give other features: decoding changed with 2. */
const FORMAT = 2;
/** Images of one file of the cache. */
const SHARD = 256;
/** Images that go through the encoder at once. */
const BATCH = 32;

/**
 * Computes the features of a frozen encoder once and keeps them on disk.
 *
 * Files are keyed by the encoder, the processor, the storage and the content of their images; they are written under
 * a temporary name and renamed, so that an interrupted or a second run does no harm. A file that was cut off is made again.
 *
 * @throws `BasicError` `E_IMAGE` naming a missing or broken file, under the policy `error`; `E_DISK_FULL`; `E_INTERRUPTED`
 * where `signal` was aborted: files that are whole stay.
 */
export async function cacheFeatures(options: FeatureCacheOptions): Promise<FeatureTable> {
  const { images, source, storage = "float16", onProgress } = options;
  const entries = new Map<string, ShardEntry>();
  const broken = new Map<string, string>();
  let computed = 0;
  for (let start = 0; start < images.length; start += SHARD) {
    stopIfAborted(options.signal);
    const names = images.slice(start, start + SHARD);
    const shard = await openShard(options, names);
    computed += shard.computed ? names.length : 0;
    const placed = shardEntries(shard.file, shard.header, storage);
    for (const [index, image] of names.entries()) {
      const entry = placed[index] ?? null;
      if (entry !== null) entries.set(image, entry);
      else broken.set(image, shard.header.images[index]?.broken ?? "no features");
    }
    onProgress?.(Math.min(start + SHARD, images.length), images.length, computed);
  }
  const [first] = broken;
  if (first !== undefined && options.onImageError !== "skip-and-count")
    throw new BasicError("E_IMAGE", first[1]);
  return createFeatureTable({ entries, broken, computed, width: source.width, storage });
}

interface OpenShard {
  readonly file: string;
  readonly header: StoredHeader;
  readonly computed: boolean;
}

/** The content of an image file, or why there is none. */
type Content = Uint8Array | { readonly broken: string };

/** A fitted picture, or why there is none. */
type OpenPicture = FittedPicture | { readonly broken: string };

async function openShard(options: FeatureCacheOptions, names: readonly string[]): Promise<OpenShard> {
  const { folder, imageRoot, storage = "float16" } = options;
  const images = imageSourceOf(imageRoot);
  const contents = await Promise.all(names.map((name) => orReason(images.bytes(name))));
  const file = join(folder, shardName(options, contents));
  const found = await readShardHeader(file, storage);
  if (found !== null) return { file, header: found, computed: false };
  const header = await computeShard(options, { file, names, contents });
  return { file, header, computed: true };
}

interface ShardWork {
  readonly file: string;
  readonly names: readonly string[];
  readonly contents: readonly Content[];
}

async function computeShard(options: FeatureCacheOptions, work: ShardWork): Promise<StoredHeader> {
  const images: ShardImage[] = [];
  const blocks: Uint8Array[] = [];
  for await (const group of fittedGroups(work, options)) {
    failEarly(group, options.onImageError);
    const seen = group.flatMap((picture) => ("broken" in picture ? [] : picture.images));
    const encoded = await encodeImages(options, seen);
    let place = 0;
    for (const picture of group) {
      if ("broken" in picture) {
        images.push({ rows: 0, grid: null, ...picture });
        continue;
      }
      const own = encoded.slice(place, place + picture.images.length);
      place += own.length;
      const rows = own.reduce((sum, image) => sum + image.rows, 0);
      const { tiles } = picture;
      images.push({ rows, grid: own[0]?.grid ?? null, ...(tiles && { tiles }) });
      blocks.push(...own.map(({ block }) => block));
    }
  }
  return writeShard(work.file, { width: options.source.width, images }, blocks);
}

/** Features of one image as they are stored. */
interface EncodedImage {
  readonly rows: number;
  readonly grid: Grid;
  readonly block: Uint8Array;
}

/** {@link BATCH} images go through the encoder at a time, however many tiles the pictures have. */
async function encodeImages(
  { source, processor, storage = "float16", signal }: FeatureCacheOptions,
  images: readonly RgbImage[],
): Promise<readonly EncodedImage[]> {
  const encoded: EncodedImage[] = [];
  for (let start = 0; start < images.length; start += BATCH) {
    stopIfAborted(signal);
    const rows = await source.features(toImageBatch(images.slice(start, start + BATCH), processor));
    for (const [place, grid] of rows.grids.entries()) {
      const count = (rows.offsets[place + 1] as number) - (rows.offsets[place] as number);
      encoded.push({ rows: count, grid, block: encodeRows(rows, place, storage) });
    }
  }
  return encoded;
}

/** Pictures in groups. The next group is decoded while the encoder works on one. */
async function* fittedGroups(
  { names, contents }: ShardWork,
  { processor, pool }: FeatureCacheOptions,
): AsyncGenerator<readonly OpenPicture[]> {
  const open = pool === undefined ? openContent : pool.open;
  const decode = (start: number): Promise<readonly OpenPicture[]> => {
    const group = contents.slice(start, start + BATCH);
    const opened = group.map((content, i) =>
      "broken" in content ? content : orReason(open({ name: names[start + i] ?? "", content, processor })),
    );
    return Promise.all(opened);
  };
  let next = decode(0);
  for (let start = BATCH; start < contents.length + BATCH; start += BATCH) {
    const group = await next;
    next = decode(start);
    // Who stops here never asks for it.
    next.catch(() => undefined);
    yield group;
  }
}

function stopIfAborted(signal: AbortSignal | undefined): void {
  if (signal?.aborted !== true) return;
  throw new BasicError(
    "E_INTERRUPTED",
    "Stopped while features were computed. Those that are on disk are kept: start again to go on.",
  );
}

/** Under the policy `error` the encoder need not run on a group with a broken image. */
function failEarly(group: readonly OpenPicture[], policy: ImagePolicy | undefined): void {
  if (policy === "skip-and-count") return;
  for (const picture of group) if ("broken" in picture) throw new BasicError("E_IMAGE", picture.broken);
}

/** The result, or the text of the error without its code. */
async function orReason<Result>(work: Promise<Result>): Promise<Result | { readonly broken: string }> {
  try {
    return await work;
  } catch (error) {
    const text = error instanceof Error ? error.message : String(error);
    return { broken: text.replace(/ \[E_[A-Z_]+\]$/, "") };
  }
}

function shardName(
  { source, processor, storage = "float16" }: FeatureCacheOptions,
  contents: readonly Content[],
): string {
  const key = createHash("sha256");
  key.update(JSON.stringify([FORMAT, source.id, source.width, processor, storage]));
  for (const content of contents) {
    key.update(
      createHash("sha256")
        .update("broken" in content ? content.broken : content)
        .digest(),
    );
  }
  const name = key.digest("hex");
  return join("features", name.slice(0, 2), `${name.slice(2, 40)}.bin`);
}
