import { BasicError } from "@basic-mllm/core";

import { readFrom, withFile } from "./file-range.js";

/** Where the records of a JSON file lie, in bytes. */
export interface RecordRanges {
  readonly kind: "array" | "lines";
  readonly starts: Float64Array;
  readonly ends: Float64Array;
  /** Line of each record, from 1; empty for an array. */
  readonly lines: Int32Array;
}

const CHUNK = 4 * 2 ** 20;
const [QUOTE, BACKSLASH, COMMA, NEWLINE] = [0x22, 0x5c, 0x2c, 0x0a];
const [OPEN_LIST, CLOSE_LIST, OPEN_OBJECT, CLOSE_OBJECT] = [0x5b, 0x5d, 0x7b, 0x7d];
const BYTE_ORDER_MARK = [0xef, 0xbb, 0xbf];

/**
 * Finds the records of a JSON array or of JSON lines without parsing them: one pass, a few megabytes in memory.
 *
 * @throws `BasicError` `E_DATA_FORMAT` where an array does not end, or something follows it.
 */
export async function scanRecords(path: string): Promise<RecordRanges> {
  return withFile(path, async (handle) => {
    const { size } = await handle.stat();
    let scan: Scan | null = null;
    for (let start = 0; start < size; start += CHUNK) {
      const bytes = await readFrom(handle, { path, start, length: Math.min(CHUNK, size - start) });
      const skipped = start === 0 && BYTE_ORDER_MARK.every((byte, i) => bytes[i] === byte) ? 3 : 0;
      scan ??= firstIsList(bytes, skipped) ? new ArrayScan(path) : new LineScan();
      scan.push(bytes, start, skipped);
    }
    return (scan ?? new LineScan()).finish(size);
  });
}

interface Scan {
  /** @param start - Place of the first byte in the file. @param from - First byte of the chunk to look at. */
  push(bytes: Uint8Array, start: number, from: number): void;
  finish(size: number): RecordRanges;
}

function isSpace(byte: number): boolean {
  return byte === 0x20 || byte === NEWLINE || byte === 0x0d || byte === 0x09;
}

function firstIsList(bytes: Uint8Array, from: number): boolean {
  let at = from;
  while (at < bytes.length && isSpace(bytes[at] as number)) at++;
  return bytes[at] === OPEN_LIST;
}

class LineScan implements Scan {
  readonly #starts: number[] = [];
  readonly #ends: number[] = [];
  readonly #lines: number[] = [];
  #line = 1;
  /** First byte of the line that is no space; -1: none so far. */
  #from = -1;

  push(bytes: Uint8Array, start: number, from: number): void {
    for (let i = from; i < bytes.length; i++) {
      const byte = bytes[i] as number;
      if (byte === NEWLINE) this.#end(start + i);
      else if (this.#from < 0 && !isSpace(byte)) this.#from = start + i;
    }
  }

  finish(size: number): RecordRanges {
    this.#end(size);
    return {
      kind: "lines",
      starts: Float64Array.from(this.#starts),
      ends: Float64Array.from(this.#ends),
      lines: Int32Array.from(this.#lines),
    };
  }

  #end(at: number): void {
    if (this.#from >= 0) {
      this.#starts.push(this.#from);
      this.#ends.push(at);
      this.#lines.push(this.#line);
    }
    this.#from = -1;
    this.#line++;
  }
}

class ArrayScan implements Scan {
  readonly #path: string;
  readonly #starts: number[] = [];
  readonly #ends: number[] = [];
  #depth = 0;
  #inString = false;
  #escaped = false;
  #done = false;
  #from = -1;

  constructor(path: string) {
    this.#path = path;
  }

  push(bytes: Uint8Array, start: number, from: number): void {
    for (let i = from; i < bytes.length; i++) {
      const byte = bytes[i] as number;
      if (this.#inString) this.#inText(byte);
      else if (!isSpace(byte)) this.#outside(byte, start + i);
    }
  }

  finish(): RecordRanges {
    if (!this.#done) {
      throw this.#error(
        `the array that it begins with does not end (record ${this.#starts.length} is the last)`,
      );
    }
    return {
      kind: "array",
      starts: Float64Array.from(this.#starts),
      ends: Float64Array.from(this.#ends),
      lines: new Int32Array(),
    };
  }

  #inText(byte: number): void {
    if (this.#escaped) this.#escaped = false;
    else if (byte === BACKSLASH) this.#escaped = true;
    else if (byte === QUOTE) this.#inString = false;
  }

  #outside(byte: number, at: number): void {
    if (this.#done) throw this.#error(`something follows the array, at byte ${at}`);
    if (this.#depth === 1 && byte === CLOSE_OBJECT) throw this.#error(`the array ends in } at byte ${at}`);
    if (this.#depth === 1 && (byte === COMMA || byte === CLOSE_LIST)) this.#endRecord(byte, at);
    else if (this.#depth === 1 && this.#from < 0) this.#from = at;
    if (byte === QUOTE) this.#inString = true;
    else if (byte === OPEN_LIST || byte === OPEN_OBJECT) this.#depth++;
    else if (byte === CLOSE_LIST || byte === CLOSE_OBJECT) this.#depth--;
    this.#done = this.#depth <= 0;
  }

  #endRecord(byte: number, at: number): void {
    if (this.#from >= 0) {
      this.#starts.push(this.#from);
      this.#ends.push(at);
    } else if (byte === COMMA || this.#starts.length > 0) {
      throw this.#error(`no record stands before the ${byte === COMMA ? "comma" : "end"} at byte ${at}`);
    }
    this.#from = -1;
  }

  #error(what: string): BasicError {
    return new BasicError("E_DATA_FORMAT", `${this.#path}: not valid JSON: ${what}. Repair the file.`);
  }
}
