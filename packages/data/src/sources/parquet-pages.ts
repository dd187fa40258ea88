import type {
  ColumnMetaData,
  Compressors,
  DataPageHeader,
  DataReader,
  PageHeader,
  SchemaElement,
} from "hyparquet";
import { parquetHeader } from "hyparquet/src/column.js";
import { getMaxDefinitionLevel, getMaxRepetitionLevel, getSchemaPath } from "hyparquet/src/schema.js";
import { readVarInt, readZigZag } from "hyparquet/src/thrift.js";

/** Writers fill up a last run of small numbers; none by more than this. */
const RUN_SLACK = 512;
/** Values of one column of one row group; all of them are in memory at once. */
const LARGEST_COLUMN = 2 ** 25;
const LARGEST_DELTA_BLOCK = 2 ** 16;

/** A column of a row group before it is decoded. */
export interface RawColumn {
  readonly bytes: ArrayBuffer;
  readonly metadata: ColumnMetaData;
  readonly schema: SchemaElement[];
  readonly compressors: Compressors;
}

/**
 * Checks every count that decoding a column relies on. The decoder takes them as they are: a damaged one would have it
 * loop for hours or fill the memory with a run of one value.
 *
 * @throws `Error` saying which count is wrong.
 */
export function checkPages({ bytes, metadata, schema, compressors }: RawColumn): void {
  const path = getSchemaPath(schema, metadata.path_in_schema);
  const total = inRange("values of a column", Number(metadata.num_values), LARGEST_COLUMN);
  const page: PageContext = {
    metadata,
    compressors,
    total,
    repetition: bitsOf(getMaxRepetitionLevel(path)),
    definition: bitsOf(getMaxDefinitionLevel(path)),
  };
  const reader = { view: new DataView(bytes), offset: 0 };
  let values = 0;
  while (reader.offset < bytes.byteLength - 1) {
    const header = parquetHeader(reader);
    const size = inRange("bytes of a page", header.compressed_page_size, bytes.byteLength - reader.offset);
    values += checkPage(header, new Uint8Array(bytes, reader.offset, size), page);
    reader.offset += size;
  }
  if (values !== total) throw new Error(`a column claims ${total} values, and its pages hold ${values}`);
}

interface PageContext {
  readonly metadata: ColumnMetaData;
  readonly compressors: Compressors;
  readonly total: number;
  /** Bits of a level; 0: there are none. */
  readonly repetition: number;
  readonly definition: number;
}

/** Returns the number of values that it adds to the column. */
function checkPage(header: PageHeader, bytes: Uint8Array, page: PageContext): number {
  const { data_page_header: first, data_page_header_v2: second } = header;
  if (header.type === "DATA_PAGE" && first !== undefined) {
    return checkFirst(first, decompress(bytes, header.uncompressed_page_size, page), page);
  }
  if (header.type === "DATA_PAGE_V2" && second !== undefined) {
    return checkSecond(second, { bytes, size: header.uncompressed_page_size }, page);
  }
  if (header.type !== "DICTIONARY_PAGE") throw new Error(`a page of the kind ${header.type}`);
  inRange("values of a dictionary", header.dictionary_page_header?.num_values, page.total + RUN_SLACK);
  return 0;
}

/** Version 1: levels and values are compressed together. */
function checkFirst(header: DataPageHeader, bytes: Uint8Array, page: PageContext): number {
  const count = inRange("values of a page", header.num_values, page.total);
  const reader = readerOf(bytes);
  if (page.repetition > 0) skipPrefixedRuns(reader, page.repetition, count);
  if (page.definition > 0) skipPrefixedRuns(reader, page.definition, count);
  checkValues(reader, header.encoding, { count, isBoolean: page.metadata.type === "BOOLEAN" });
  return count;
}

/** Version 2: levels stand before the values and are never compressed. */
function checkSecond(
  header: NonNullable<PageHeader["data_page_header_v2"]>,
  { bytes, size }: { readonly bytes: Uint8Array; readonly size: number },
  page: PageContext,
): number {
  const count = inRange("values of a page", header.num_values, page.total);
  inRange("empty values of a page", header.num_nulls, count);
  const above = inRange("bytes of levels", header.repetition_levels_byte_length, bytes.length);
  const levels = above + inRange("bytes of levels", header.definition_levels_byte_length, bytes.length);
  if (page.repetition > 0) skipRuns(readerOf(bytes), page.repetition, count);
  if (page.definition > 0) skipRuns(readerOf(bytes.subarray(above)), page.definition, count);
  const stored = bytes.subarray(levels);
  const isPlain = header.is_compressed === false || size === levels;
  const values = readerOf(isPlain ? stored : decompress(stored, size - levels, page));
  checkValues(values, header.encoding, { count, isBoolean: page.metadata.type === "BOOLEAN" });
  return count;
}

function decompress(bytes: Uint8Array, size: number, { metadata, compressors }: PageContext): Uint8Array {
  if (metadata.codec === "UNCOMPRESSED") return bytes;
  const codec = compressors[metadata.codec];
  if (codec === undefined) throw new Error(`pages compressed with ${metadata.codec}`);
  return codec(bytes, size);
}

/** Indices into a dictionary come in runs, and differences in blocks; plain values are bounded by their bytes. */
function checkValues(
  reader: DataReader,
  encoding: string,
  { count, isBoolean }: { readonly count: number; readonly isBoolean: boolean },
): void {
  if (encoding === "PLAIN") return;
  if (encoding === "RLE" && isBoolean) skipPrefixedRuns(reader, 1, count);
  else if (/^(PLAIN_DICTIONARY|RLE_DICTIONARY|RLE)$/.test(encoding)) checkIndices(reader, count);
  else if (/^DELTA_(BINARY_PACKED|LENGTH_BYTE_ARRAY)$/.test(encoding)) checkDelta(reader);
  else {
    throw new Error(`values in the encoding ${encoding}; write the table with plain or dictionary encoding`);
  }
}

/** Empty values have no index, so the runs may end before `count` of them. */
function checkIndices(reader: DataReader, count: number): void {
  if (reader.offset >= reader.view.byteLength) return;
  const width = inRange("bits of an index", reader.view.getUint8(reader.offset++), 32);
  if (width > 0) skipRuns(reader, width, count);
}

function checkDelta(reader: DataReader): void {
  if (reader.offset >= reader.view.byteLength) return;
  const block = inRange("values of a block", readVarInt(reader), LARGEST_DELTA_BLOCK);
  const parts = inRange("parts of a block", readVarInt(reader), block);
  if (parts === 0 || block % parts !== 0) throw new Error(`a block of ${block} values in ${parts} parts`);
  readVarInt(reader);
  readZigZag(reader);
}

function skipPrefixedRuns(reader: DataReader, width: number, count: number): void {
  const length = reader.view.getUint32(reader.offset, true);
  reader.offset += 4;
  const end = reader.offset + inRange("bytes of levels", length, reader.view.byteLength - reader.offset);
  skipRuns(reader, width, count);
  reader.offset = end;
}

/** Runs of equal values and of packed ones, up to `count` values or the end. */
function skipRuns(reader: DataReader, width: number, count: number): void {
  let seen = 0;
  while (seen < count && reader.offset < reader.view.byteLength) {
    const header = readVarInt(reader);
    const isPacked = (header & 1) === 1;
    const run = inRange("values of a run", isPacked ? (header >> 1) * 8 : header >>> 1, count + RUN_SLACK);
    reader.offset += Math.ceil(((isPacked ? run : 1) * width) / 8);
    seen += run;
  }
}

function readerOf(bytes: Uint8Array): DataReader {
  return { view: new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength), offset: 0 };
}

function bitsOf(largest: number): number {
  return 32 - Math.clz32(largest);
}

function inRange(what: string, value: number | undefined, largest: number): number {
  if (value !== undefined && Number.isSafeInteger(value) && value >= 0 && value <= largest) return value;
  throw new Error(`${value} ${what}, and at most ${largest} can be`);
}
