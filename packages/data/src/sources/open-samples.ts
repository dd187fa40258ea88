import { join, relative } from "node:path";

import { BasicError } from "@basic-mllm/core";

import type { Sample } from "../samples.js";
import { type ImageRoot, type ImageSource, imageSourceOf } from "./image-source.js";
import { openJsonShard } from "./json-shard.js";
import { openParquetShard } from "./parquet-shard.js";
import { INSIDE, type SampleFormat, type SampleShard, type SampleSource } from "./sample-source.js";
import { findShards } from "./shard-files.js";
import { openTarShard } from "./tar-shard.js";

/** How {@link openSamples} opens. */
export interface OpenSamplesOptions {
  /** Folder of the images, where they are files. Default: that of the data set. */
  readonly imageRoot?: string;
}

/**
 * Opens a data set of any format: LLaVA JSON, JSON lines, Parquet, WebDataset tar; a file, a folder of shards or a
 * pattern. Reads where its records lie, and neither texts nor images.
 *
 * @throws `BasicError` `E_DATA_FORMAT` for a file that is damaged or of an unknown format; `E_DATA_EMPTY` where there is none.
 */
export async function openSamples(path: string, options: OpenSamplesOptions = {}): Promise<SampleSource> {
  const { format, files, folder } = await findShards(path);
  const shards: SampleShard[] = [];
  const isSharded = files.length > 1;
  for (const file of files) {
    shards.push(await openShard(format, { file, label: relative(folder, file), isSharded }));
  }
  const starts = shardStarts(shards);
  return {
    format,
    files,
    size: starts.at(-1) ?? 0,
    imageRoot: imagesOf(shards, options.imageRoot ?? folder),
    read: (index) => {
      const shard = shardAt(starts, index);
      if (shard < 0) throw indexError(path, index, starts.at(-1) ?? 0);
      return (shards[shard] as SampleShard).read(index - (starts[shard] as number));
    },
    records: async function* () {
      for (const shard of shards) yield* shard.records();
    },
  };
}

function openShard(
  format: SampleFormat,
  { file, label, isSharded }: { readonly file: string; readonly label: string; readonly isSharded: boolean },
): Promise<SampleShard> {
  if (format === "parquet") return openParquetShard(file, label);
  if (format === "tar") return openTarShard(file, label);
  // Records of several files must not share the ids that their numbers give them.
  return openJsonShard(file, isSharded ? label : null);
}

function shardStarts(shards: readonly SampleShard[]): Float64Array {
  const starts = new Float64Array(shards.length + 1);
  for (const [i, { size }] of shards.entries()) starts[i + 1] = (starts[i] as number) + size;
  return starts;
}

/** The shard that holds a record, by halving; -1: none does. */
function shardAt(starts: Float64Array, index: number): number {
  if (!Number.isInteger(index) || index < 0 || index >= (starts.at(-1) ?? 0)) return -1;
  let low = 0;
  let high = starts.length - 1;
  while (high - low > 1) {
    const middle = (low + high) >> 1;
    if ((starts[middle] as number) <= index) low = middle;
    else high = middle;
  }
  return low;
}

function indexError(path: string, index: number, size: number): BasicError {
  return new BasicError(
    "E_INDEX_RANGE",
    `data set ${path}: expected a record number below ${size}, got ${index}. Open the data set again where it has grown.`,
  );
}

/** Images of archives and tables; those of JSON are files. */
function imagesOf(shards: readonly SampleShard[], root: string): ImageRoot {
  const inside = new Map(shards.flatMap(({ images }) => (images === null ? [] : [[images.label, images]])));
  if (inside.size === 0) return root;
  const find = (image: string) => {
    const cut = image.indexOf(INSIDE);
    const found = inside.get(image.slice(0, cut));
    return found === undefined ? null : { source: found.source, name: image.slice(cut + INSIDE.length) };
  };
  const source: ImageSource = {
    locate: (image) => join(root, image),
    file: () => null,
    has: async (image) => {
      const found = find(image);
      return found?.source.has(found.name) ?? false;
    },
    bytes: async (image) => {
      const found = find(image);
      if (found?.source.has(found.name) === true) return found.source.bytes(found.name);
      throw new BasicError(
        "E_IMAGE",
        `image "${image}": there is no such image in the ${shards.length} files of ${root}. Correct the record.`,
      );
    },
  };
  return imageSourceOf(source);
}

/** All samples of a source in memory, without their images; the first malformed record is thrown. */
export async function readAllSamples(source: SampleSource, limit = source.size): Promise<readonly Sample[]> {
  const samples: Sample[] = [];
  if (limit === 0) return samples;
  for await (const record of source.records()) {
    if (record instanceof BasicError) throw record;
    samples.push(record);
    if (samples.length === limit) break;
  }
  return samples;
}
