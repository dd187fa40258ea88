import { createHash } from "node:crypto";
import { join } from "node:path";

import { BasicError, type FeatureSource, type Grid } from "@basic-mllm/core";

import type { ImagePolicy } from "./dataset.js";
import {
  encodeRows,
  type FeatureStorage,
  readShardHeader,
  type ShardEntry,
  type ShardHeader,
  type ShardImage,
  type StoredHeader,
  shardEntries,
  writeShard,
} from "./feature-shards.js";
import { createFeatureTable, type FeatureTable, KeptFeatures } from "./feature-table.js";
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
  const kept = new KeptFeatures();
  let computed = 0;
  const finish = async ({ file, names, found }: Shard, encoded: EncodedShard | null): Promise<void> => {
    const header = encoded === null ? (found as StoredHeader) : await storeShard(file, encoded);
    computed += encoded === null ? 0 : names.length;
    for (const [index, entry] of shardEntries(file, header, storage).entries()) {
      const image = names[index] as string;
      if (entry === null) broken.set(image, header.images[index]?.broken ?? "no features");
      else entries.set(image, entry);
      if (entry !== null && encoded !== null) kept.add(image, encoded.blocks[index] as Uint8Array);
    }
    onProgress?.(entries.size + broken.size, images.length, computed);
  };
  // A shard is written while the next one is encoded.
  let last = Promise.resolve();
  try {
    for await (const shard of oneAhead(inPieces(images, SHARD), (names) => openShard(options, names))) {
      stopIfAborted(options.signal);
      const encoded = shard.found === null ? await encodeShard(options, shard) : null;
      await last;
      last = finish(shard, encoded);
      last.catch(() => undefined);
    }
  } finally {
    await last;
  }
  const [first] = broken;
  if (first !== undefined && options.onImageError !== "skip-and-count")
    throw new BasicError("E_IMAGE", first[1]);
  return createFeatureTable({ entries, broken, computed, width: source.width, storage, kept });
}

/** Images that share a file of the cache. */
interface Shard {
  readonly file: string;
  readonly names: readonly string[];
  /** What the file holds; null where it must be computed. */
  readonly found: StoredHeader | null;
  /** The pictures in groups, where it must be computed. */
  readonly groups: AsyncIterable<readonly OpenPicture[]>;
}

/** What a shard will hold. */
interface EncodedShard extends ShardHeader {
  /** Of each image: its stored rows, none of a broken one. */
  readonly blocks: readonly Uint8Array[];
}

/** The content of an image file, or why there is none. */
type Content = Uint8Array | { readonly broken: string };

/** A fitted picture, or why there is none. */
type OpenPicture = FittedPicture | { readonly broken: string };

/** Looks whether a shard is there; if not, begins to decode its pictures. */
async function openShard(options: FeatureCacheOptions, names: readonly string[]): Promise<Shard> {
  const { folder, imageRoot, storage = "float16" } = options;
  const images = imageSourceOf(imageRoot);
  const contents = await Promise.all(names.map((name) => orReason(images.bytes(name))));
  const file = join(folder, shardName(options, contents));
  const found = await readShardHeader(file, storage);
  const pictures = names.map((name, i) => ({ name, content: contents[i] as Content }));
  const groups = oneAhead(found === null ? inPieces(pictures, BATCH) : [], (group) =>
    openGroup(group, options),
  );
  return { file, names, found, groups };
}

async function encodeShard(options: FeatureCacheOptions, { groups }: Shard): Promise<EncodedShard> {
  const images: ShardImage[] = [];
  const blocks: Uint8Array[] = [];
  for await (const group of groups) {
    failEarly(group, options.onImageError);
    const seen = group.flatMap((picture) => ("broken" in picture ? [] : picture.images));
    const encoded = await encodeImages(options, seen);
    let place = 0;
    for (const picture of group) {
      if ("broken" in picture) {
        images.push({ rows: 0, grid: null, ...picture });
        blocks.push(new Uint8Array());
        continue;
      }
      const own = encoded.slice(place, place + picture.images.length);
      place += own.length;
      const rows = own.reduce((sum, image) => sum + image.rows, 0);
      const { tiles } = picture;
      images.push({ rows, grid: own[0]?.grid ?? null, ...(tiles && { tiles }) });
      blocks.push(own.length === 1 ? (own[0] as EncodedImage).block : joined(own));
    }
  }
  return { width: options.source.width, images, blocks };
}

function storeShard(file: string, { blocks, ...header }: EncodedShard): Promise<StoredHeader> {
  return writeShard(file, header, blocks);
}

/** The rows of a picture's tiles, one after the other, in a buffer of their own. */
function joined(images: readonly EncodedImage[]): Uint8Array {
  const bytes = new Uint8Array(images.reduce((sum, { block }) => sum + block.length, 0));
  let start = 0;
  for (const { block } of images) {
    bytes.set(block, start);
    start += block.length;
  }
  return bytes;
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

/** Decodes and fits a group of pictures. */
function openGroup(
  group: readonly { readonly name: string; readonly content: Content }[],
  { processor, pool }: FeatureCacheOptions,
): Promise<readonly OpenPicture[]> {
  const open = pool === undefined ? openContent : pool.open;
  const opened = group.map(({ name, content }) =>
    "broken" in content ? content : orReason(open({ name, content, processor })),
  );
  return Promise.all(opened);
}

function inPieces<Item>(items: readonly Item[], length: number): readonly (readonly Item[])[] {
  const count = Math.ceil(items.length / length);
  return Array.from({ length: count }, (_, i) => items.slice(i * length, (i + 1) * length));
}

/** Results in the order of the items. The first is begun at once, and the next while one is used. */
function oneAhead<Item, Result>(
  items: readonly Item[],
  begin: (item: Item) => Promise<Result>,
): AsyncIterable<Result> {
  const beginAt = (place: number): Promise<Result> | null => {
    const item = items[place];
    const begun = item === undefined ? null : begin(item);
    // Who stops before never asks for it.
    begun?.catch(() => undefined);
    return begun;
  };
  const first = beginAt(0);
  async function* results(): AsyncGenerator<Result> {
    let next = first;
    for (let place = 1; next !== null; place++) {
      const result: Result = await next;
      next = beginAt(place);
      yield result;
    }
  }
  return results();
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
