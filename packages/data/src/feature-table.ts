import { BasicError, type HostVisualRows } from "@basic-mllm/core";

import { decodeRows, entryBytes, type FeatureStorage, readEntry, type ShardEntry } from "./feature-shards.js";
import { encodedImages } from "./tiles.js";
import type { ChannelStatistics, ImageShape, VisualStore } from "./visual-store.js";

/** Features of a set of images, computed or found on disk. */
export interface FeatureTable extends VisualStore {
  readonly width: number;
  /** Images without features, and why. Empty under the policy `error`. */
  readonly broken: ReadonlyMap<string, string>;
  /** Images whose features were computed now, and not found on disk. */
  readonly computed: number;
  /** Mean and deviation of each channel over all rows of these images. Default: all images. */
  statistics(images?: readonly string[]): Promise<ChannelStatistics>;
  read(images: readonly string[]): Promise<HostVisualRows>;
  growth(images: readonly string[]): number;
}

/** What {@link createFeatureTable} reads from. */
export interface FeatureTableOptions {
  readonly entries: ReadonlyMap<string, ShardEntry>;
  readonly broken: ReadonlyMap<string, string>;
  readonly computed: number;
  readonly width: number;
  readonly storage: FeatureStorage;
  /** What is in memory already. */
  readonly kept: KeptFeatures;
}

/** Stored rows of images in memory, up to 256 MiB. Others are read from disk each time. */
export class KeptFeatures {
  readonly #blocks = new Map<string, Uint8Array>();
  #bytes = 0;

  get(image: string): Uint8Array | undefined {
    return this.#blocks.get(image);
  }

  /** Bytes that are free for more. */
  get room(): number {
    return BUDGET - this.#bytes;
  }

  add(image: string, block: Uint8Array): void {
    if (this.#bytes + block.length > BUDGET || this.#blocks.has(image)) return;
    this.#blocks.set(image, block);
    this.#bytes += block.length;
  }
}

const BUDGET = 256 * 2 ** 20;
const STATISTICS_GROUP = 64;

/** Opens features that lie in shards. */
export function createFeatureTable(options: FeatureTableOptions): FeatureTable {
  const { entries, broken, computed, width, storage, kept } = options;
  const find = (image: string): ShardEntry => {
    const entry = entries.get(image);
    if (entry !== undefined) return entry;
    throw new BasicError(
      "E_IMAGE",
      `image "${image}": it has no features: ${broken.get(image) ?? "it was not among the images of the cache"}.`,
    );
  };
  const bytesOf = async (image: string): Promise<Uint8Array> => {
    const known = kept.get(image);
    if (known !== undefined) return known;
    const bytes = await readEntry(find(image), width, storage);
    kept.add(image, bytes);
    return bytes;
  };
  const read = async (images: readonly string[]): Promise<HostVisualRows> => {
    const found = images.map(find);
    const rows = found.reduce((sum, entry) => sum + entry.rows, 0);
    const values = new Float32Array(rows * width);
    const stored = await Promise.all(images.map(bytesOf));
    let start = 0;
    for (const [index, bytes] of stored.entries()) {
      decodeRows(bytes, storage, values, start * width);
      start += (found[index] as ShardEntry).rows;
    }
    const shapes = found.flatMap((entry) =>
      Array.from({ length: encodedImages(entry.tiles) }, () => shapeOf(entry)),
    );
    const offsets = new Int32Array(shapes.length + 1);
    for (const [i, shape] of shapes.entries()) offsets[i + 1] = (offsets[i] as number) + shape.rows;
    return { values, width, offsets, grids: shapes.map(({ grid }) => grid) };
  };
  return {
    width,
    broken,
    computed,
    shape: (image) => shapeOf(find(image)),
    read,
    growth: (images) => {
      const unread = [...new Set(images)].filter((image) => kept.get(image) === undefined);
      const bytes = unread.reduce((sum, image) => sum + entryBytes(find(image), width, storage), 0);
      return Math.min(bytes, kept.room);
    },
    statistics: (images = [...entries.keys()]) => channelStatistics(read, width, images),
  };
}

/** Of one image that the encoder saw. */
function shapeOf({ rows, grid, tiles }: ShardEntry): ImageShape {
  return { rows: rows / encodedImages(tiles), grid, ...(tiles && { tiles }) };
}

async function channelStatistics(
  read: (images: readonly string[]) => Promise<HostVisualRows>,
  width: number,
  images: readonly string[],
): Promise<ChannelStatistics> {
  const sum = new Float64Array(width);
  const squares = new Float64Array(width);
  let rows = 0;
  for (let start = 0; start < images.length; start += STATISTICS_GROUP) {
    const { values } = await read(images.slice(start, start + STATISTICS_GROUP));
    rows += values.length / width;
    for (let i = 0; i < values.length; i++) {
      const value = values[i] as number;
      const channel = i % width;
      sum[channel] = (sum[channel] as number) + value;
      squares[channel] = (squares[channel] as number) + value * value;
    }
  }
  const count = Math.max(1, rows);
  const mean = Float32Array.from(sum, (total) => total / count);
  const std = Float32Array.from(squares, (total, channel) => {
    const average = (sum[channel] as number) / count;
    return Math.sqrt(Math.max(0, total / count - average * average));
  });
  return { mean, std };
}
