import { bytesPerValue, decodeIntegers, decodeInto } from "./dtypes.js";
import { headerLength, parseHeader, type TensorInfo, TensorTable } from "./safetensors-header.js";

/** Bytes that can be read by range: a buffer, or a file on disk. */
export interface ByteSource {
  /** For messages, for example the path. */
  readonly location: string;
  readonly size: number;
  /** Bytes `start .. end`. */
  read(start: number, end: number): Uint8Array;
  /** Fills `target` with the bytes from `start` on. */
  readInto(target: Uint8Array, start: number): void;
  /** Closes the file, where there is one. */
  close(): void;
}

/** A file of named tensors, whatever its format; tensors are read when they are asked for. */
export interface TensorFile {
  readonly location: string;
  /** In the order of the file. */
  readonly names: readonly string[];
  /** Free text that the writer stored, where the format has room for it. */
  readonly metadata?: Readonly<Record<string, string>>;
  /** Whether the file holds a tensor of that name. */
  has(name: string): boolean;
  /** @throws `BasicError` `E_WEIGHTS_MISSING`. */
  entry(name: string): TensorInfo;
  /** Values of a floating-point tensor, row-major. @throws `BasicError` `E_WEIGHTS_MISSING`, `E_WEIGHTS_FORMAT`. */
  floats(name: string): Float32Array;
  /** {@link floats} of a part of a tensor, from the value `first` on, into memory that is there already. */
  readFloats(name: string, first: number, target: Float32Array): void;
  /** Bytes of a tensor as they are stored, from `begin` on, where they lie in the file row by row. */
  readBytes?(name: string, begin: number, target: Uint8Array): void;
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
    readInto: (target, start) => target.set(bytes.subarray(start, start + target.length)),
    close: () => undefined,
  };
}

/** Bytes that are read at once where values are decoded: a tensor is never in memory in both forms. */
const PIECE_BYTES = 2 ** 20;
/** One for all files: reading is synchronous. */
let piece: Uint8Array | undefined;

/** An open safetensors file; tensors are read when they are asked for. */
export class Safetensors extends TensorTable implements TensorFile {
  readonly #source: ByteSource;

  /**
   * Reads and checks the header.
   *
   * @throws `BasicError` `E_WEIGHTS_FORMAT` for anything that is not a whole, consistent file.
   */
  constructor(source: ByteSource | Uint8Array) {
    const bytes = source instanceof Uint8Array ? bytesInMemory(source) : source;
    const { size, location } = bytes;
    const length = headerLength(bytes.read(0, Math.min(8, size)), size, location);
    super(location, parseHeader(bytes.read(8, 8 + length), size, location));
    this.#source = bytes;
  }

  /** Values of an F32, F16, BF16 or F64 tensor, row-major. */
  floats(name: string): Float32Array {
    const { dtype, begin, end } = this.entry(name);
    const values = new Float32Array((end - begin) / bytesPerValue[dtype]);
    this.readFloats(name, 0, values);
    return values;
  }

  /**
   * {@link floats} of a part of a tensor into memory that is there already.
   *
   * @param first - The first value, counted row-major.
   * @param target - As many values as are wanted.
   */
  readFloats(name: string, first: number, target: Float32Array): void {
    const { dtype, begin } = this.entry(name);
    const where = `${this.location}: tensor "${name}"`;
    const width = bytesPerValue[dtype];
    const start = begin + first * width;
    if (dtype === "F32") {
      this.#source.readInto(new Uint8Array(target.buffer, target.byteOffset, target.byteLength), start);
      return;
    }
    piece ??= new Uint8Array(PIECE_BYTES);
    const step = PIECE_BYTES / width;
    // Once at least, for the check of the type.
    let done = 0;
    do {
      const values = target.subarray(done, done + step);
      const bytes = piece.subarray(0, values.length * width);
      this.#source.readInto(bytes, start + done * width);
      decodeInto(values, bytes, { dtype, where });
      done += step;
    } while (done < target.length);
  }

  /** The bytes of a tensor as they are stored, from byte `first` of it on, into memory that is there already. */
  readBytes(name: string, first: number, target: Uint8Array): void {
    this.#source.readInto(target, this.entry(name).begin + first);
  }

  /** Values of an I32, I64 or U8 tensor, row-major. */
  integers(name: string): Int32Array {
    const { dtype, begin, end } = this.entry(name);
    return decodeIntegers(this.#source.read(begin, end), dtype, `${this.location}: tensor "${name}"`);
  }

  /** Closes the file, where there is one. */
  close(): void {
    this.#source.close();
  }
}
