import { BasicError, formatShape } from "@basic-mllm/core";

import {
  bytesPerValue,
  decodeFloats,
  decodeIntegers,
  decodeInto,
  encodeFloats,
  type FloatDType,
} from "./dtypes.js";
import {
  headerLength,
  parseHeader,
  type SafetensorsHeader,
  type TensorEntry,
  type TensorInfo,
} from "./safetensors-header.js";

/** Bytes that can be read by range: a buffer, or a file on disk. */
export interface ByteSource {
  /** For messages, for example the path. */
  readonly location: string;
  readonly size: number;
  /** Bytes `start .. end`. */
  read(start: number, end: number): Uint8Array;
  /** Closes the file, where there is one. */
  close(): void;
}

/** A file of named tensors, whatever its format; tensors are read when they are asked for. */
export interface TensorFile {
  readonly location: string;
  /** In the order of the file. */
  readonly names: readonly string[];
  /** Whether the file holds a tensor of that name. */
  has(name: string): boolean;
  /** @throws `BasicError` `E_WEIGHTS_MISSING`. */
  entry(name: string): TensorInfo;
  /** Values of a floating-point tensor, row-major. @throws `BasicError` `E_WEIGHTS_MISSING`, `E_WEIGHTS_FORMAT`. */
  floats(name: string): Float32Array;
  /** Values of an integer tensor, row-major. @throws `BasicError` `E_WEIGHTS_MISSING`, `E_WEIGHTS_FORMAT`. */
  integers(name: string): Int32Array;
  /** Closes the file, where there is one. */
  close(): void;
}

/** A source over bytes in memory. */
export function bytesInMemory(bytes: Uint8Array, location = "buffer"): ByteSource {
  return {
    location,
    size: bytes.length,
    read: (start, end) => bytes.subarray(start, end),
    close: () => undefined,
  };
}

/** Bytes that are read at once where values are decoded: a tensor is never in memory in both forms. */
const PIECE_BYTES = 4 * 2 ** 20;

/** An open safetensors file; tensors are read when they are asked for. */
export class Safetensors implements TensorFile {
  readonly location: string;
  readonly #source: ByteSource;
  readonly #header: SafetensorsHeader;

  /**
   * Reads and checks the header.
   *
   * @throws `BasicError` `E_WEIGHTS_FORMAT` for anything that is not a whole, consistent file.
   */
  constructor(source: ByteSource | Uint8Array) {
    this.#source = source instanceof Uint8Array ? bytesInMemory(source) : source;
    const { size, location } = this.#source;
    this.location = location;
    const length = headerLength(this.#source.read(0, Math.min(8, size)), size, location);
    this.#header = parseHeader(this.#source.read(8, 8 + length), size, location);
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

  /** Values of an F32, F16, BF16 or F64 tensor, row-major. Other types than F32 are decoded piece by piece. */
  floats(name: string): Float32Array {
    const entry = this.entry(name);
    const { dtype, begin, end } = entry;
    const where = `${this.location}: tensor "${name}"`;
    if (dtype === "F32" || end - begin <= PIECE_BYTES) return decodeFloats(this.#bytes(entry), dtype, where);
    const width = bytesPerValue[dtype];
    const values = new Float32Array((end - begin) / width);
    for (let piece = begin; piece < end; piece += PIECE_BYTES) {
      const bytes = this.#source.read(piece, Math.min(end, piece + PIECE_BYTES));
      const first = (piece - begin) / width;
      decodeInto(values.subarray(first, first + bytes.length / width), bytes, { dtype, where });
    }
    return values;
  }

  /** Values of an I32, I64 or U8 tensor, row-major. */
  integers(name: string): Int32Array {
    const entry = this.entry(name);
    return decodeIntegers(this.#bytes(entry), entry.dtype, `${this.location}: tensor "${name}"`);
  }

  /** Closes the file, where there is one. */
  close(): void {
    this.#source.close();
  }

  #bytes({ begin, end }: TensorEntry): Uint8Array {
    return this.#source.read(begin, end);
  }
}

/** A tensor to be written. */
export interface NamedTensor {
  readonly name: string;
  readonly shape: readonly number[];
  readonly values: Float32Array | Int32Array;
}

/** Options of {@link encodeSafetensors}. */
export interface SafetensorsOptions {
  /** How Float32Arrays are stored. Default F32. Int32Arrays are I32. */
  readonly dtype?: FloatDType;
  readonly metadata?: Readonly<Record<string, string>>;
}

/**
 * The file in pieces: the header, then one piece per tensor, so that a large model is never held twice.
 *
 * @throws `BasicError` `E_SHAPE` when values do not fill their shape, `E_NAME_DUPLICATE`.
 */
export function* safetensorsPieces(
  tensors: readonly NamedTensor[],
  { dtype = "F32", metadata = { format: "pt" } }: SafetensorsOptions = {},
): Generator<Uint8Array> {
  const header: Record<string, unknown> = { __metadata__: metadata };
  let position = 0;
  for (const { name, shape, values } of tensors) {
    const type = values instanceof Int32Array ? "I32" : dtype;
    checkTensor({ name, shape, values }, header);
    const end = position + values.length * bytesPerValue[type];
    header[name] = { dtype: type, shape, data_offsets: [position, end] };
    position = end;
  }
  yield encodeHeader(header);
  for (const { values } of tensors) {
    yield values instanceof Int32Array
      ? new Uint8Array(values.buffer, values.byteOffset, values.byteLength)
      : encodeFloats(values, dtype);
  }
}

/** A whole file in memory. */
export function encodeSafetensors(tensors: readonly NamedTensor[], options?: SafetensorsOptions): Uint8Array {
  const pieces = [...safetensorsPieces(tensors, options)];
  const file = new Uint8Array(pieces.reduce((sum, piece) => sum + piece.length, 0));
  let position = 0;
  for (const piece of pieces) {
    file.set(piece, position);
    position += piece.length;
  }
  return file;
}

function checkTensor({ name, shape, values }: NamedTensor, header: Record<string, unknown>): void {
  const size = shape.reduce((product, dimension) => product * dimension, 1);
  if (size !== values.length) {
    throw new BasicError(
      "E_SHAPE",
      `encodeSafetensors: tensor "${name}" of shape ${formatShape(shape)} needs ${size} values, got ${values.length}.`,
    );
  }
  if (Object.hasOwn(header, name)) {
    throw new BasicError("E_NAME_DUPLICATE", `encodeSafetensors: there are two tensors "${name}".`);
  }
}

/** Length, then JSON padded with spaces so that tensors start at a multiple of 8. */
function encodeHeader(header: Readonly<Record<string, unknown>>): Uint8Array {
  const json = new TextEncoder().encode(JSON.stringify(header));
  const padded = Math.ceil(json.length / 8) * 8;
  const bytes = new Uint8Array(8 + padded).fill(0x20);
  new DataView(bytes.buffer).setBigUint64(0, BigInt(padded), true);
  bytes.set(json, 8);
  return bytes;
}
