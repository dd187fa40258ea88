import { BasicError } from "@basic-mllm/core";

import { bytesPerValue, type DType, isDType } from "./dtypes.js";

/** What a file says about one tensor. */
export interface TensorInfo {
  readonly name: string;
  readonly dtype: DType;
  readonly shape: readonly number[];
}

/** Where one tensor lies in a safetensors file. */
export interface TensorEntry extends TensorInfo {
  /** First byte, counted from the start of the file. */
  readonly begin: number;
  /** Byte after the last. */
  readonly end: number;
}

/** A checked header. */
export interface SafetensorsHeader {
  readonly entries: ReadonlyMap<string, TensorEntry>;
  readonly metadata: Readonly<Record<string, string>>;
}

/** What a safetensors file holds, without its values. */
export class TensorTable {
  readonly location: string;
  readonly #header: SafetensorsHeader;

  constructor(location: string, header: SafetensorsHeader) {
    this.location = location;
    this.#header = header;
  }

  /** Names in the order of the header. */
  get names(): readonly string[] {
    return [...this.#header.entries.keys()];
  }

  /** Free text that the writer stored. */
  get metadata(): Readonly<Record<string, string>> {
    return this.#header.metadata;
  }

  /** Whether the file holds a tensor of that name. */
  has(name: string): boolean {
    return this.#header.entries.has(name);
  }

  /** @throws `BasicError` `E_WEIGHTS_MISSING`. */
  entry(name: string): TensorEntry {
    const entry = this.#header.entries.get(name);
    if (entry === undefined) {
      throw new BasicError("E_WEIGHTS_MISSING", `${this.location} holds no tensor "${name}".`);
    }
    return entry;
  }
}

/** The reference implementation's limit. */
const MAX_HEADER_BYTES = 100_000_000;
const MAX_DIMENSIONS = 32;
/** Of names and values that a message repeats: a damaged header may have some of any length. */
const MAX_QUOTED = 100;

/**
 * Length in bytes of the JSON header, from the first 8 bytes of a file.
 *
 * @throws `BasicError` `E_WEIGHTS_FORMAT` when the file is too short for it or it is absurd.
 */
export function headerLength(firstBytes: Uint8Array, fileSize: number, location: string): number {
  if (fileSize < 8 || firstBytes.length < 8) {
    throw invalid(
      location,
      `it has ${fileSize} bytes, and a header needs at least 8. Was the download cut off?`,
    );
  }
  const view = new DataView(firstBytes.buffer, firstBytes.byteOffset, firstBytes.byteLength);
  const length = Number(view.getBigUint64(0, true));
  if (length > MAX_HEADER_BYTES) {
    throw invalid(
      location,
      `its header would have ${length} bytes (limit ${MAX_HEADER_BYTES}). Is it safetensors at all?`,
    );
  }
  if (8 + length > fileSize) {
    throw invalid(
      location,
      `its header ends at byte ${8 + length}, but the file has ${fileSize} bytes. Was the download cut off?`,
    );
  }
  return length;
}

/**
 * Reads the JSON header and checks every entry: known type, shape that fits its bytes, and tensors that fill
 * the rest of the file without overlap or hole.
 *
 * @param json - The header's bytes, without the length.
 * @throws `BasicError` `E_WEIGHTS_FORMAT`.
 */
export function parseHeader(json: Uint8Array, fileSize: number, location: string): SafetensorsHeader {
  const { __metadata__: metadata = {}, ...tensors } = parseObject(json, location);
  const start = 8 + json.length;
  const entries = Object.entries(tensors).map(([name, value]) =>
    parseEntry(name, value, { start, location }),
  );
  checkCoverage(entries, { start, fileSize, location });
  return { entries: new Map(entries.map((entry) => [entry.name, entry])), metadata: texts(metadata) };
}

function parseObject(json: Uint8Array, location: string): Record<string, unknown> {
  let value: unknown;
  try {
    value = JSON.parse(new TextDecoder("utf-8", { fatal: true }).decode(json));
  } catch (error) {
    throw invalid(location, "its header is not JSON. Was the file damaged?", { cause: error });
  }
  if (!isRecord(value)) throw invalid(location, "its header is not a JSON object.");
  return value;
}

function parseEntry(name: string, value: unknown, file: { start: number; location: string }): TensorEntry {
  const { start, location } = file;
  const { dtype, shape, data_offsets: offsets } = isRecord(value) ? value : {};
  if (!isDType(dtype)) {
    throw invalid(location, `tensor ${quote(name)} has the unknown type ${quote(dtype)}.`);
  }
  if (!isSizes(shape) || !isSizes(offsets) || offsets.length !== 2) {
    throw invalid(location, `tensor ${quote(name)} has no valid shape and data_offsets.`);
  }
  const [begin, end] = offsets as [number, number];
  const expected = shape.reduce((size, dimension) => size * dimension, 1) * bytesPerValue[dtype];
  if (end - begin !== expected) {
    throw invalid(
      location,
      `tensor ${quote(name)} of shape [${shape.join(", ")}] and type ${dtype} needs ${expected} bytes, but its data_offsets span ${end - begin}.`,
    );
  }
  return { name, dtype, shape, begin: start + begin, end: start + end };
}

function checkCoverage(
  entries: readonly TensorEntry[],
  file: { start: number; fileSize: number; location: string },
): void {
  const { fileSize, location } = file;
  let position = file.start;
  let before = "the header";
  for (const entry of [...entries].sort((a, b) => a.begin - b.begin || a.end - b.end)) {
    if (entry.begin < position) {
      throw invalid(location, `tensor ${quote(entry.name)} overlaps ${before}.`);
    }
    if (entry.begin > position) {
      throw invalid(
        location,
        `there is a hole of ${entry.begin - position} bytes before tensor ${quote(entry.name)}.`,
      );
    }
    position = entry.end;
    before = `tensor ${quote(entry.name)}`;
  }
  if (position > fileSize) {
    throw invalid(
      location,
      `${before} ends at byte ${position}, but the file has ${fileSize} bytes. Was the download cut off?`,
    );
  }
  if (position < fileSize) {
    throw invalid(location, `${fileSize - position} bytes after ${before} belong to no tensor.`);
  }
}

function invalid(location: string, problem: string, options?: ErrorOptions): BasicError {
  return new BasicError(
    "E_WEIGHTS_FORMAT",
    `${location} is not a valid safetensors file: ${problem}`,
    options,
  );
}

function texts(value: unknown): Readonly<Record<string, string>> {
  if (!isRecord(value)) return {};
  return Object.fromEntries(Object.entries(value).map(([key, text]) => [key, String(text)]));
}

function isRecord(value: unknown): value is Record<string, unknown> {
  return typeof value === "object" && value !== null && !Array.isArray(value);
}

function quote(value: unknown): string {
  const text = JSON.stringify(value) ?? String(value);
  return text.length > MAX_QUOTED ? `${text.slice(0, MAX_QUOTED)}…` : text;
}

function isSizes(value: unknown): value is number[] {
  return (
    Array.isArray(value) &&
    value.length <= MAX_DIMENSIONS &&
    value.every((size) => Number.isSafeInteger(size) && size >= 0)
  );
}
