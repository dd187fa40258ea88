import { stat } from "node:fs/promises";

import { BasicError } from "@basic-mllm/core";
import {
  type AsyncBuffer,
  type Compressors,
  type FileMetaData,
  parquetMetadataAsync,
  parquetReadObjects,
} from "hyparquet";
import { compressors } from "hyparquet-compressors";

import { type Sample, toSample } from "../samples.js";
import { readRange, unreadable } from "./file-range.js";
import { orError } from "./json-shard.js";
import { findColumns, type SampleColumns, withoutImageBytes } from "./parquet-columns.js";
import { checkPages } from "./parquet-pages.js";
import { INSIDE, type SampleRecord, type SampleShard } from "./sample-source.js";

type Row = Readonly<Record<string, unknown>>;

/** A row group: rows that are stored, and therefore read, together. */
interface RowGroup {
  readonly number: number;
  readonly first: number;
  readonly end: number;
}

/** Bytes of images that stay in memory; one row group at least. */
const KEPT_BYTES = 128 * 2 ** 20;
/** Row groups whose texts stay in memory. */
const KEPT_TEXTS = 4;

/**
 * Opens a Parquet table as Hugging Face writes them: `images` (`{bytes, path}`, one or a list) beside `texts` (The
 * Cauldron, FineVision: question and answer pairs), `conversations` (LLaVA) or `caption`. Texts are read without images;
 * both by row group.
 *
 * @param label - Name of the table in the names of its images.
 * @throws `BasicError` `E_DATA_FORMAT` for a damaged table or one without texts.
 */
export async function openParquetShard(path: string, label: string): Promise<SampleShard> {
  const table = await openTable(path);
  const { metadata, columns, groups } = table;
  const { image } = columns;
  const pruned = image === null ? metadata : withoutImageBytes(metadata, image);
  const read = (group: RowGroup, names: readonly string[], from: FileMetaData): Promise<readonly Row[]> =>
    readRows(table, { group, names, metadata: from });
  const textNames = image === null ? columns.texts : [...columns.texts, image];
  const texts = keepSome((group) => read(group, textNames, pruned), { limit: KEPT_TEXTS, cost: () => 1 });
  const cells = keepSome((group) => read(group, image === null ? [] : [image], metadata), {
    limit: KEPT_BYTES,
    cost: (rows) => rows.reduce((sum, row) => sum + cellBytes(row, image), 0),
  });
  const groupOf = (row: number): RowGroup =>
    groups.find(({ first, end }) => row >= first && row < end) as RowGroup;
  const sampleAt = (rows: readonly Row[], group: RowGroup, row: number): Sample =>
    sampleOf(rows[row - group.first] ?? {}, { row, path, label, image });
  return {
    size: groups.at(-1)?.end ?? 0,
    images: {
      label,
      source: {
        has: (name) => /^\d+\/\d+$/.test(name) && Number(name.split("/")[0]) < (groups.at(-1)?.end ?? 0),
        bytes: async (name) => {
          const [row = 0, place = 0] = name.split("/").map(Number);
          const group = groupOf(row);
          return imageBytes(
            (await cells(group))[row - group.first],
            image,
            place,
            `${label}${INSIDE}${name}`,
          );
        },
      },
    },
    read: async (index) => {
      const group = groupOf(index);
      return sampleAt(await texts(group), group, index);
    },
    records: async function* (): AsyncGenerator<SampleRecord> {
      for (const group of groups) {
        const rows = await texts(group);
        for (let row = group.first; row < group.end; row++) yield orError(() => sampleAt(rows, group, row));
      }
    },
  };
}

interface Table {
  readonly path: string;
  readonly file: AsyncBuffer;
  readonly metadata: FileMetaData;
  readonly columns: SampleColumns;
  readonly groups: readonly RowGroup[];
}

/** A page is a megabyte; damage must not ask for all memory. */
const LARGEST_PAGE = 2 ** 30;

const boundedCompressors: Compressors = Object.fromEntries(
  Object.entries(compressors).map(([name, decompress]) => [
    name,
    (input: Uint8Array, length: number) => {
      if (length >= 0 && length <= LARGEST_PAGE) return decompress(input, length);
      throw new Error(`a page claims ${length} bytes`);
    },
  ]),
);

async function openFile(path: string): Promise<AsyncBuffer> {
  const { size } = await stat(path).catch((cause: unknown) => {
    throw unreadable(path, cause);
  });
  return {
    byteLength: size,
    slice: async (start, end = size) => {
      const from = start < 0 ? size + start : start;
      if (!(from >= 0 && end >= from && end <= size)) {
        throw new Error(`bytes ${start} to ${end} are asked for, and the file has ${size}`);
      }
      const bytes = await readRange(path, from, end - from);
      return bytes.buffer.slice(bytes.byteOffset, bytes.byteOffset + bytes.length) as ArrayBuffer;
    },
  };
}

async function openTable(path: string): Promise<Table> {
  try {
    const file = await openFile(path);
    const metadata = await parquetMetadataAsync(file);
    const columns = findColumns(metadata, path);
    return { path, file, metadata, columns, groups: rowGroups(metadata) };
  } catch (cause) {
    throw tableError(path, cause);
  }
}

/** Rows of a group are in memory at once. */
const LARGEST_GROUP = 2 ** 22;

function rowGroups({ row_groups }: FileMetaData): readonly RowGroup[] {
  let first = 0;
  return row_groups.map(({ num_rows, columns }, number) => {
    const rows = Number(num_rows);
    // A row has at least one value in each column, which may be an empty one.
    const fits = columns.every(({ meta_data }) => rows <= Number(meta_data?.num_values ?? rows));
    if (!Number.isSafeInteger(rows) || rows < 0 || rows > LARGEST_GROUP || !fits) {
      throw new Error(`a row group claims ${num_rows} rows`);
    }
    const group = { number, first, end: first + rows };
    first = group.end;
    return group;
  });
}

/** The decoder takes the counts in its pages as they are. */
async function checkGroup(
  file: AsyncBuffer,
  what: { readonly group: RowGroup; readonly names: readonly string[]; readonly metadata: FileMetaData },
): Promise<void> {
  const { group, names, metadata } = what;
  for (const { meta_data: column } of metadata.row_groups[group.number]?.columns ?? []) {
    if (column === undefined || !names.includes(column.path_in_schema[0] ?? "")) continue;
    const start = Number(column.dictionary_page_offset || column.data_page_offset);
    const bytes = await file.slice(start, start + Number(column.total_compressed_size));
    checkPages({ bytes, metadata: column, schema: metadata.schema, compressors: boundedCompressors });
  }
}

async function readRows(
  { path, file }: Table,
  what: { readonly group: RowGroup; readonly names: readonly string[]; readonly metadata: FileMetaData },
): Promise<readonly Row[]> {
  const { group, names, metadata } = what;
  try {
    await checkGroup(file, what);
    return await parquetReadObjects({
      file,
      metadata,
      columns: [...names],
      rowStart: group.first,
      rowEnd: group.end,
      compressors: boundedCompressors,
      utf8: false,
    });
  } catch (cause) {
    throw tableError(`${path}, rows ${group.first} to ${group.end}`, cause);
  }
}

function tableError(where: string, cause: unknown): BasicError {
  if (cause instanceof BasicError) return cause;
  const reason = cause instanceof Error ? cause.message : String(cause);
  return new BasicError(
    "E_DATA_FORMAT",
    `${where}: expected a whole Parquet table, and it cannot be read: ${reason.replace(/\.$/, "")}. Fetch it again.`,
    { cause },
  );
}

/** Row groups in memory, those used last, up to a cost; one at least. */
function keepSome(
  load: (group: RowGroup) => Promise<readonly Row[]>,
  { limit, cost }: { readonly limit: number; readonly cost: (rows: readonly Row[]) => number },
): (group: RowGroup) => Promise<readonly Row[]> {
  const kept = new Map<number, { rows: Promise<readonly Row[]>; cost: number }>();
  const makeRoom = (): void => {
    let sum = [...kept.values()].reduce((total, entry) => total + entry.cost, 0);
    for (const [key, entry] of kept) {
      if (sum <= limit || kept.size === 1) return;
      kept.delete(key);
      sum -= entry.cost;
    }
  };
  return async (group) => {
    const found = kept.get(group.first);
    kept.delete(group.first);
    const entry = found ?? { rows: load(group), cost: 0 };
    kept.set(group.first, entry);
    try {
      const rows = await entry.rows;
      entry.cost = cost(rows);
      makeRoom();
      return rows;
    } catch (error) {
      kept.delete(group.first);
      throw error;
    }
  };
}

function cellBytes(row: Row, image: string | null): number {
  const cell = image === null ? null : row[image];
  return listOf(cell).reduce<number>((sum, item) => sum + (bytesOf(item)?.length ?? 0), 0);
}

function listOf(cell: unknown): readonly unknown[] {
  if (cell === undefined || cell === null) return [];
  return Array.isArray(cell) ? cell : [cell];
}

/** `{bytes, path}`, or the bytes alone. */
function bytesOf(item: unknown): Uint8Array | null {
  if (item instanceof Uint8Array) return item;
  const bytes = (item as { readonly bytes?: unknown } | null)?.bytes;
  return bytes instanceof Uint8Array ? bytes : null;
}

function imageBytes(row: Row | undefined, column: string | null, place: number, name: string): Uint8Array {
  const item = column === null ? undefined : listOf(row?.[column])[place];
  const bytes = bytesOf(item);
  if (bytes !== null) return bytes;
  throw new BasicError(
    "E_IMAGE",
    `image "${name}": expected bytes in its cell, got ${item === undefined || item === null ? "nothing" : "a path alone"}. ` +
      "Write the table again with the images embedded.",
  );
}

function sampleOf(
  row: Row,
  {
    row: index,
    path,
    label,
    image,
  }: {
    readonly row: number;
    readonly path: string;
    readonly label: string;
    readonly image: string | null;
  },
): Sample {
  const cell = image === null ? null : row[image];
  const images = listOf(cell).map((_, place) => `${label}${INSIDE}${index}/${place}`);
  const record = Object.fromEntries(Object.entries(row).map(([key, value]) => [key, plain(value)]));
  return toSample(record, { index, source: path, id: `${label}${INSIDE}${index}`, images });
}

/** 64-bit numbers of a table as those of JSON. */
function plain(value: unknown): unknown {
  return typeof value === "bigint" ? Number(value) : value;
}
