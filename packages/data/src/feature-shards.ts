import { randomUUID } from "node:crypto";
import { type FileHandle, mkdir, open, rename, rm } from "node:fs/promises";
import { dirname } from "node:path";

import { BasicError, type Grid, type HostVisualRows } from "@basic-mllm/core";

import { fromHalf, toHalf } from "./float16.js";
import type { PictureTiles } from "./tiles.js";

/** How features are kept on disk. */
export type FeatureStorage = "float16" | "float32";

/** One image of a shard: its rows, or why it has none. */
export interface ShardImage {
  /** Of all images that the encoder saw of it. */
  readonly rows: number;
  /** Of each of them. */
  readonly grid: Grid;
  /** Where the picture was cut into tiles. */
  readonly tiles?: PictureTiles;
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
export interface ShardEntry extends Omit<ShardImage, "broken"> {
  readonly file: string;
  /** First byte in the file. */
  readonly start: number;
}

const HEADER_BLOCK = 65_536;
const NEWLINE = 10;
/** Bytes of a write, at least. */
const WRITE_BYTES = 2 ** 20;

/** Reads the header of a shard; null where there is no whole shard. */
export async function readShardHeader(file: string, storage: FeatureStorage): Promise<StoredHeader | null> {
  const handle = await open(file, "r").catch(() => null);
  if (handle === null) return null;
  try {
    const line = await firstLine(handle);
    const header = line === null ? null : parseHeader(line);
    if (line === null || header === null) return null;
    const found = { ...header, dataStart: line.length + 1 };
    const { size } = await handle.stat();
    return size === shardBytes(found, storage) ? found : null;
  } finally {
    await handle.close();
  }
}

/** The bytes before the first line end; null where there is none. */
async function firstLine(handle: FileHandle): Promise<Buffer | null> {
  let text = Buffer.alloc(0);
  for (;;) {
    const block = Buffer.alloc(HEADER_BLOCK);
    const { bytesRead } = await handle.read(block, 0, HEADER_BLOCK, text.length);
    text = Buffer.concat([text, block.subarray(0, bytesRead)]);
    const newline = text.indexOf(NEWLINE);
    if (newline >= 0) return text.subarray(0, newline);
    if (bytesRead === 0) return null;
  }
}

/** Null for a damaged header, which is as good as none: the features are computed again. */
function parseHeader(line: Buffer): ShardHeader | null {
  try {
    const header: unknown = JSON.parse(line.toString());
    return isHeader(header) ? header : null;
  } catch {
    return null;
  }
}

function isHeader(value: unknown): value is ShardHeader {
  const { width, images } = (value ?? {}) as { readonly width?: unknown; readonly images?: unknown };
  const hasRows = (image: Partial<ShardImage> | null) => typeof image?.rows === "number";
  return typeof width === "number" && Array.isArray(images) && images.every(hasRows);
}

function shardBytes({ width, images, dataStart }: StoredHeader, storage: FeatureStorage): number {
  const rows = images.reduce((sum, image) => sum + image.rows, 0);
  return dataStart + rows * width * bytesPerValue(storage);
}

/**
 * Writes a shard under a temporary name, syncs, then renames it.
 *
 * @throws `BasicError` `E_DISK_FULL`; the temporary file is removed.
 */
export async function writeShard(
  file: string,
  header: ShardHeader,
  blocks: readonly Uint8Array[],
): Promise<StoredHeader> {
  const line = Buffer.from(`${JSON.stringify(header)}\n`);
  const temporary = `${file}.${randomUUID()}`;
  try {
    await mkdir(dirname(file), { recursive: true });
    await writeAndSync(temporary, [line, ...blocks]);
    await rename(temporary, file);
  } catch (error) {
    await rm(temporary, { force: true });
    throw explained(error, file);
  }
  return { ...header, dataStart: line.length };
}

async function writeAndSync(file: string, pieces: readonly Uint8Array[]): Promise<void> {
  const handle = await open(file, "wx");
  try {
    for (const piece of gathered(pieces)) await handle.writeFile(piece);
    await handle.sync();
  } finally {
    await handle.close();
  }
}

/** Small pieces put together: a write of its own for each takes longer. */
function* gathered(pieces: readonly Uint8Array[]): Generator<Uint8Array> {
  let group: Uint8Array[] = [];
  let bytes = 0;
  for (const piece of pieces) {
    group.push(piece);
    bytes += piece.length;
    if (bytes < WRITE_BYTES) continue;
    yield Buffer.concat(group);
    group = [];
    bytes = 0;
  }
  yield Buffer.concat(group);
}

function explained(error: unknown, file: string): unknown {
  if (!(error instanceof Error && "code" in error && error.code === "ENOSPC")) return error;
  return new BasicError(
    "E_DISK_FULL",
    `features could not be written to ${file}: the disk is full. ` +
      "Make space and start again: features that are there already are not computed again.",
    { cause: error },
  );
}

/** The images of a shard that have features. */
export function shardEntries(
  file: string,
  { width, images, dataStart }: StoredHeader,
  storage: FeatureStorage,
): readonly (ShardEntry | null)[] {
  let start = dataStart;
  return images.map(({ broken: _, ...image }) => {
    const { rows } = image;
    const entry = rows === 0 ? null : { ...image, file, start };
    start += rows * width * bytesPerValue(storage);
    return entry;
  });
}

/** Bytes that the rows of an image take. */
export function entryBytes({ rows }: ShardEntry, width: number, storage: FeatureStorage): number {
  return rows * width * bytesPerValue(storage);
}

/**
 * Reads the stored bytes of an image.
 *
 * @throws `BasicError` `E_DATA_FORMAT` where the file was cut off or removed since it was opened.
 */
export async function readEntry(
  entry: ShardEntry,
  width: number,
  storage: FeatureStorage,
): Promise<Uint8Array> {
  const length = entryBytes(entry, width, storage);
  const handle = await open(entry.file, "r").catch((cause: unknown) => {
    throw new BasicError(
      "E_DATA_FORMAT",
      `features in ${entry.file}: the file cannot be opened any more. Start again: its features are then computed again.`,
      { cause },
    );
  });
  try {
    // Its own buffer: typed arrays of two or four bytes need an aligned start.
    const bytes = new Uint8Array(length);
    const { bytesRead } = await handle.read(bytes, 0, length, entry.start);
    if (bytesRead === length) return bytes;
    throw new BasicError(
      "E_DATA_FORMAT",
      `features in ${entry.file}: expected ${length} bytes from byte ${entry.start} on, got ${bytesRead}. ` +
        "The file was cut off while it was in use. Start again: its features are then computed again.",
    );
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
