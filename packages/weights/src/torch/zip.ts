import { BasicError } from "@basic-mllm/core";

import type { ByteSource } from "../safetensors.js";

/** Where the bytes of a stored zip entry lie. */
export interface ZipEntry {
  readonly begin: number;
  readonly end: number;
}

const END = 0x06054b50;
const END_64 = 0x06064b50;
const LOCATOR_64 = 0x07064b50;
const CENTRAL = 0x02014b50;
const LOCAL = 0x04034b50;
/** The end record and the longest comment. */
const MAX_TAIL = 22 + 65_535;
/** A checkpoint has an entry per tensor; this is far above any of them. */
const MAX_DIRECTORY_BYTES = 64 * 2 ** 20;
/** What a 32-bit field holds where the 64-bit extra field has the value. */
const IN_EXTRA = 0xffff_ffff;

/**
 * The entries of a zip archive whose files are stored without compression, as `torch.save` writes it. Only the
 * directory is read.
 *
 * @returns Byte range of each entry by name, every one inside of the file.
 * @throws `BasicError` `E_WEIGHTS_FORMAT`.
 */
export function readZipEntries(source: ByteSource): ReadonlyMap<string, ZipEntry> {
  const { start, size, count } = findDirectory(source);
  const directory = viewOf(source.read(start, start + size));
  const entries = new Map<string, ZipEntry>();
  let position = 0;
  for (let i = 0; i < count; i++) {
    if (position + 46 > size || directory.getUint32(position, true) !== CENTRAL) {
      throw invalid(source, "its directory is cut off");
    }
    const record = readRecord(source, directory, position);
    position = record.next;
    if (entries.has(record.name))
      throw invalid(source, `two of its entries are called ${quote(record.name)}`);
    entries.set(record.name, locate(source, record));
  }
  return entries;
}

function findDirectory(source: ByteSource): { start: number; size: number; count: number } {
  const tailStart = Math.max(0, source.size - MAX_TAIL);
  const tail = viewOf(source.read(tailStart, source.size));
  let end = tail.byteLength - 22;
  while (end >= 0 && tail.getUint32(end, true) !== END) end--;
  if (end < 0) throw invalid(source, "it has no directory at its end, as if the download was cut off");
  let found = {
    count: tail.getUint16(end + 10, true),
    size: tail.getUint32(end + 12, true),
    start: tail.getUint32(end + 16, true),
  };
  if (end >= 20 && tail.getUint32(end - 20, true) === LOCATOR_64) {
    found = readEnd64(source, safe(source, tail.getBigUint64(end - 12, true)));
  }
  if (found.start + found.size > tailStart + end || found.size > MAX_DIRECTORY_BYTES) {
    throw invalid(source, `its directory of ${found.size} bytes would begin at byte ${found.start}`);
  }
  return found;
}

function readEnd64(source: ByteSource, at: number): { start: number; size: number; count: number } {
  if (at + 56 > source.size) throw invalid(source, "its 64-bit directory lies outside of the file");
  const record = viewOf(source.read(at, at + 56));
  if (record.getUint32(0, true) !== END_64) throw invalid(source, "its 64-bit directory is damaged");
  return {
    count: safe(source, record.getBigUint64(32, true)),
    size: safe(source, record.getBigUint64(40, true)),
    start: safe(source, record.getBigUint64(48, true)),
  };
}

interface DirectoryRecord {
  readonly name: string;
  readonly size: number;
  /** Of the local header. */
  readonly offset: number;
  /** Where the next record begins in the directory. */
  readonly next: number;
}

function readRecord(source: ByteSource, directory: DataView, at: number): DirectoryRecord {
  const flags = directory.getUint16(at + 8, true);
  const method = directory.getUint16(at + 10, true);
  const packed = directory.getUint32(at + 20, true);
  let size = directory.getUint32(at + 24, true);
  let offset = directory.getUint32(at + 42, true);
  const nameEnd = at + 46 + directory.getUint16(at + 28, true);
  const extraEnd = nameEnd + directory.getUint16(at + 30, true);
  const next = extraEnd + directory.getUint16(at + 32, true);
  if (next > directory.byteLength) throw invalid(source, "its directory is cut off");
  const bytes = new Uint8Array(directory.buffer, directory.byteOffset, directory.byteLength);
  const name = new TextDecoder().decode(bytes.subarray(at + 46, nameEnd));
  if (method !== 0 || (flags & 1) !== 0 || packed !== size) {
    throw invalid(source, `its entry ${quote(name)} is compressed or encrypted, expected stored bytes`);
  }
  const wide = extra64(directory, nameEnd, extraEnd);
  const take = () => safe(source, wide.shift() ?? BigInt(Number.MAX_SAFE_INTEGER) + 1n);
  if (size === IN_EXTRA) {
    size = take();
    if (take() !== size)
      throw invalid(source, `its entry ${quote(name)} is compressed, expected stored bytes`);
  }
  if (offset === IN_EXTRA) offset = take();
  return { name, size, offset, next };
}

/** The 64-bit values of the extra field with id 1. */
function extra64(directory: DataView, begin: number, end: number): bigint[] {
  for (let at = begin; at + 4 <= end; ) {
    const length = directory.getUint16(at + 2, true);
    if (directory.getUint16(at, true) === 1) {
      const values: bigint[] = [];
      for (let value = at + 4; value + 8 <= Math.min(at + 4 + length, end); value += 8) {
        values.push(directory.getBigUint64(value, true));
      }
      return values;
    }
    at += 4 + length;
  }
  return [];
}

/** The local header repeats the name, and pads so that data are aligned. */
function locate(source: ByteSource, { name, size, offset }: DirectoryRecord): ZipEntry {
  if (offset + 30 > source.size) throw invalid(source, `its entry ${quote(name)} lies outside of the file`);
  const header = viewOf(source.read(offset, offset + 30));
  if (header.getUint32(0, true) !== LOCAL) throw invalid(source, `its entry ${quote(name)} has no header`);
  const begin = offset + 30 + header.getUint16(26, true) + header.getUint16(28, true);
  if (begin + size > source.size) throw invalid(source, `its entry ${quote(name)} lies outside of the file`);
  return { begin, end: begin + size };
}

function safe(source: ByteSource, value: bigint): number {
  if (value <= BigInt(Number.MAX_SAFE_INTEGER)) return Number(value);
  throw invalid(source, "one of its 64-bit sizes is absurd");
}

function viewOf(bytes: Uint8Array): DataView {
  return new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
}

/** Text of a file, short enough for a message. */
export function quote(text: string): string {
  return JSON.stringify(text.length > 100 ? `${text.slice(0, 100)}…` : text);
}

function invalid({ location }: ByteSource, problem: string): BasicError {
  return new BasicError(
    "E_WEIGHTS_FORMAT",
    `${location} is not a valid zip archive of torch.save: ${problem}.`,
  );
}
