import { BasicError } from "@basic-mllm/core";

import { openBytes } from "../files.js";
import { type ByteSource, bytesInMemory } from "../safetensors.js";
import { dequantise } from "./dequantise.js";
import { type GgufEntry, type GgufHeader, readGgufHeader } from "./header.js";

/** An open GGUF file; tensors are read when they are asked for. Close it after use. */
export class GgufFile {
  readonly location: string;
  readonly #source: ByteSource;
  readonly #header: GgufHeader;

  /** Use {@link openGguf}. */
  constructor(source: ByteSource, header: GgufHeader) {
    this.location = source.location;
    this.#source = source;
    this.#header = header;
  }

  /** Fields of the header, 64-bit integers as bigint. */
  get metadata(): ReadonlyMap<string, unknown> {
    return this.#header.metadata;
  }

  /** Names of the tensors in the order of the header. */
  get names(): readonly string[] {
    return [...this.#header.entries.keys()];
  }

  /** Whether the file holds a tensor of that name. */
  has(name: string): boolean {
    return this.#header.entries.has(name);
  }

  /** @throws `BasicError` `E_WEIGHTS_MISSING`. */
  entry(name: string): GgufEntry {
    const entry = this.#header.entries.get(name);
    if (entry === undefined) {
      throw new BasicError("E_WEIGHTS_MISSING", `${this.location} holds no tensor "${name}".`);
    }
    return entry;
  }

  /** The bytes of a tensor as they are stored. */
  bytes(name: string): Uint8Array {
    const { begin, end } = this.entry(name);
    return this.#source.read(begin, end);
  }

  /** The bytes of some of a matrix's rows as they are stored. */
  rows(name: string, { firstRow, rows }: { readonly firstRow: number; readonly rows: number }): Uint8Array {
    const { begin, end, shape } = this.entry(name);
    // Rows are whole blocks.
    const width = (end - begin) / (shape[0] ?? 1);
    return this.#source.read(begin + firstRow * width, begin + (firstRow + rows) * width);
  }

  /** Values of a tensor in float32, row-major. */
  floats(name: string): Float32Array {
    const { type, size } = this.entry(name);
    return dequantise(this.bytes(name), type, size, `${this.location}: tensor "${name}"`);
  }

  /** Closes the file. */
  close(): void {
    this.#source.close();
  }
}

/**
 * Opens a GGUF file and checks its header. Little endian, versions 2 and 3, types F32, F16, BF16, Q4_0, Q4_1, Q5_0,
 * Q5_1, Q8_0, Q4_K and Q6_K.
 *
 * @param source - A path, or bytes.
 * @throws `BasicError` `E_WEIGHTS_MISSING` when it cannot be opened, `E_WEIGHTS_FORMAT` for anything that is not a
 *   whole, consistent file.
 */
export async function openGguf(source: string | Uint8Array): Promise<GgufFile> {
  const bytes = typeof source === "string" ? openBytes(source) : bytesInMemory(source);
  try {
    return new GgufFile(bytes, await readGgufHeader(bytes));
  } catch (error) {
    bytes.close();
    throw error;
  }
}
