import { bytesPerValue, decodeIntegers, decodeInto } from "./dtypes.js";
import { headerLength, parseHeader, type SafetensorsHeader, TensorTable } from "./safetensors-header.js";

/** Bytes that arrive later, by range: of a Blob, or of a file on a server. */
export interface RemoteBytes {
  /** For messages, for example the URL. */
  readonly location: string;
  readonly size: number;
  /** Bytes `start .. end`. */
  read(start: number, end: number): Promise<Uint8Array>;
}

/** The bytes of a Blob, or of a File that a person chose in a browser. */
export function blobBytes(blob: Blob, location = "name" in blob ? String(blob.name) : "blob"): RemoteBytes {
  return {
    location,
    size: blob.size,
    read: async (start, end) => new Uint8Array(await blob.slice(start, end).arrayBuffer()),
  };
}

/**
 * Opens a safetensors file that is read by range: a Blob, or what {@link openHttpBytes} gives. The header is read and
 * checked as that of a file on disk.
 *
 * @throws `BasicError` `E_WEIGHTS_FORMAT` for anything that is not a whole, consistent file; what reading throws.
 */
export async function openRemoteSafetensors(source: RemoteBytes | Blob): Promise<RemoteSafetensors> {
  const bytes = source instanceof Blob ? blobBytes(source) : source;
  const { size, location } = bytes;
  const length = headerLength(await bytes.read(0, Math.min(8, size)), size, location);
  return new RemoteSafetensors(bytes, parseHeader(await bytes.read(8, 8 + length), size, location));
}

/** Bytes of one reading, so that a tensor is never in memory in two forms. */
const PIECE_BYTES = 8 * 2 ** 20;

/** An open safetensors file whose tensors are fetched when they are asked for. */
export class RemoteSafetensors extends TensorTable {
  readonly #source: RemoteBytes;

  /** Use {@link openRemoteSafetensors}. */
  constructor(source: RemoteBytes, header: SafetensorsHeader) {
    super(source.location, header);
    this.#source = source;
  }

  /** Values of an F32, F16, BF16 or F64 tensor, row-major. @throws `BasicError` `E_WEIGHTS_MISSING`, `E_WEIGHTS_FORMAT`. */
  async floats(name: string): Promise<Float32Array> {
    const { dtype, begin, end } = this.entry(name);
    const where = `${this.location}: tensor "${name}"`;
    const width = bytesPerValue[dtype];
    const values = new Float32Array((end - begin) / width);
    // The type is checked before anything is fetched.
    decodeInto(values.subarray(0, 0), new Uint8Array(), { dtype, where });
    for (let start = begin; start < end; start += PIECE_BYTES) {
      const bytes = await this.#source.read(start, Math.min(end, start + PIECE_BYTES));
      const first = (start - begin) / width;
      decodeInto(values.subarray(first, first + bytes.length / width), bytes, { dtype, where });
    }
    return values;
  }

  /** Values of an I32, I64 or U8 tensor, row-major. @throws `BasicError` `E_WEIGHTS_MISSING`, `E_WEIGHTS_FORMAT`. */
  async integers(name: string): Promise<Int32Array> {
    const { dtype, begin, end } = this.entry(name);
    return decodeIntegers(await this.#source.read(begin, end), dtype, `${this.location}: tensor "${name}"`);
  }
}
