import { randomUUID } from "node:crypto";
import { mkdir, open, rename, writeFile } from "node:fs/promises";
import { dirname } from "node:path";

import type { Grid, HostVisualRows } from "@basic-mllm/core";

import { fromHalf, toHalf } from "./float16.js";

/** How features are kept on disk. */
export type FeatureStorage = "float16" | "float32";

/** One image of a shard: its rows, or why it has none. */
export interface ShardImage {
  readonly rows: number;
  readonly grid: Grid;
  readonly broken?: string;
}

/** First line of a shard; the values follow, image after image. */
export interface ShardHeader {
  readonly width: number;
  readonly images: readonly ShardImage[];
}

/** A header, and where the values begin. */
export interface StoredHeader extends ShardHeader {
  readonly dataStart: number;
}

/** Where the features of an image lie. */
export interface ShardEntry {
  readonly rows: number;
  readonly grid: Grid;
  readonly file: string;
  /** First byte in the file. */
  readonly start: number;
}

const HEADER_BLOCK = 65_536;
const NEWLINE = 10;

/** Reads the header of a shard; null where there is none. */
export async function readShardHeader(file: string): Promise<StoredHeader | null> {
  const handle = await open(file, "r").catch(() => null);
  if (handle === null) return null;
  try {
    let text = Buffer.alloc(0);
    for (;;) {
      const { buffer, bytesRead } = await handle.read(
        Buffer.alloc(HEADER_BLOCK),
        0,
        HEADER_BLOCK,
        text.length,
      );
      text = Buffer.concat([text, buffer.subarray(0, bytesRead)]);
      const newline = text.indexOf(NEWLINE);
      if (newline >= 0) {
        const header = JSON.parse(text.subarray(0, newline).toString()) as ShardHeader;
        return { ...header, dataStart: newline + 1 };
      }
      if (bytesRead === 0) return null;
    }
  } finally {
    await handle.close();
  }
}

/** Writes a shard under a temporary name, then renames it. */
export async function writeShard(
  file: string,
  header: ShardHeader,
  blocks: readonly Uint8Array[],
): Promise<StoredHeader> {
  const line = Buffer.from(`${JSON.stringify(header)}\n`);
  await mkdir(dirname(file), { recursive: true });
  const temporary = `${file}.${randomUUID()}`;
  await writeFile(temporary, Buffer.concat([line, ...blocks]));
  await rename(temporary, file);
  return { ...header, dataStart: line.length };
}

/** The images of a shard that have features. */
export function shardEntries(
  file: string,
  { width, images, dataStart }: StoredHeader,
  storage: FeatureStorage,
): readonly (ShardEntry | null)[] {
  let start = dataStart;
  return images.map(({ rows, grid }) => {
    const entry = rows === 0 ? null : { rows, grid, file, start };
    start += rows * width * bytesPerValue(storage);
    return entry;
  });
}

/** Bytes that the rows of an image take. */
export function entryBytes({ rows }: ShardEntry, width: number, storage: FeatureStorage): number {
  return rows * width * bytesPerValue(storage);
}

/** Reads the stored bytes of an image. */
export async function readEntry(
  entry: ShardEntry,
  width: number,
  storage: FeatureStorage,
): Promise<Uint8Array> {
  const length = entryBytes(entry, width, storage);
  const handle = await open(entry.file, "r");
  try {
    // Its own buffer: typed arrays of two or four bytes need an aligned start.
    const bytes = new Uint8Array(length);
    await handle.read(bytes, 0, length, entry.start);
    return bytes;
  } finally {
    await handle.close();
  }
}

/** The rows of image `place` as they are stored. */
export function encodeRows(rows: HostVisualRows, place: number, storage: FeatureStorage): Uint8Array {
  const from = (rows.offsets[place] as number) * rows.width;
  const to = (rows.offsets[place + 1] as number) * rows.width;
  const values = rows.values.slice(from, to);
  const stored = storage === "float16" ? toHalf(values) : values;
  return new Uint8Array(stored.buffer, stored.byteOffset, stored.byteLength);
}

/** Writes stored rows into `target` from `start` on. */
export function decodeRows(
  bytes: Uint8Array,
  storage: FeatureStorage,
  target: Float32Array,
  start: number,
): void {
  if (storage === "float16") fromHalf(new Uint16Array(bytes.buffer), target, start);
  else target.set(new Float32Array(bytes.buffer), start);
}

function bytesPerValue(storage: FeatureStorage): number {
  return storage === "float16" ? 2 : 4;
}
