import {
  BasicError,
  isBlocked,
  isDeviceImagined,
  type PackedStorage,
  type PackedValues,
  packers,
  type ValueSource,
  wordCount,
} from "@basic-mllm/core";

import type { Place, PlaceOf } from "./places.js";
import type { StoredTensor, WeightFolder } from "./weight-folder.js";

/**
 * How the matrices of a model's blocks are kept; tables, heads, norms and biases are float32.
 *
 * - `f32`: they can train
 * - `bf16`, `f16`, `q8_0`, `q4_0`, `q4_1`: rounded to nearest and frozen. The block formats hold 32 values of a row, so
 *   that matrices whose rows are no multiple of 32 are kept as bf16
 * - `file`: as the file has them, where the frozen kernels can compute with that, and frozen; else float32
 */
export type WeightStorage = "f32" | PackedStorage | "file";

/** Every {@link WeightStorage}. */
export const weightStorages = [
  "f32",
  "bf16",
  "f16",
  "q8_0",
  "q4_0",
  "q4_1",
  "file",
] as const satisfies WeightStorage[];

/** Types of a file whose bytes are packed words already. */
const packedAs: Readonly<Partial<Record<StoredTensor["dtype"], PackedStorage>>> = {
  BF16: "bf16",
  F16: "f16",
};

/** Values of a block of the block formats. */
const BLOCK = 32;
/** Values that are packed at once: their words have no padding, whatever the storage. */
const PIECE_VALUES = 2 ** 16;

/**
 * Gives parameters their values out of a folder. Every tensor is read into the same memory, which is as large as the
 * largest one: parameters copy what they get. Nothing is read for a device that is only imagined.
 */
export class WeightReader {
  readonly #weights: WeightFolder;
  readonly #storage: WeightStorage;
  readonly #memory: ArrayBuffer;
  readonly #piece = new Float32Array(PIECE_VALUES);

  /** @param largest - Values of the largest parameter. */
  constructor(weights: WeightFolder, storage: WeightStorage, largest: number) {
    this.#weights = weights;
    this.#storage = storage;
    this.#memory = new ArrayBuffer(4 * largest);
  }

  /** The source of a part's values. @param packable - Whether its matrices may be other than float32. */
  source(place: PlaceOf, packable: boolean): ValueSource {
    const floats = (name: string, shape: readonly number[]) => this.#floats(place(name, shape));
    if (this.#storage === "f32" || !packable) return floats;
    return Object.assign(floats, {
      packed: (name: string, shape: readonly number[]) => this.#packed(place(name, shape)),
    });
  }

  #floats(place: Place): Float32Array {
    const tensor = this.#weights.find(place.names);
    const { first, count } = extent(place);
    const values = new Float32Array(this.#memory, 0, count);
    if (isDeviceImagined()) return values;
    tensor.file.readFloats(tensor.name, first, values);
    return values;
  }

  #packed(place: Place): PackedValues | undefined {
    const tensor = this.#weights.find(place.names);
    const storage = this.#storageFor(tensor, place);
    if (storage === undefined) return undefined;
    const { first, count } = extent(place);
    const words = new Int32Array(this.#memory, 0, wordCount(storage, count));
    if (isDeviceImagined()) return { storage, words };
    if (storage === packedAs[tensor.dtype] && tensor.file.readBytes !== undefined) {
      words.fill(0, -1);
      tensor.file.readBytes(tensor.name, 2 * first, new Uint8Array(this.#memory, 0, 2 * count));
      return { storage, words };
    }
    for (let done = 0; done < count; done += PIECE_VALUES) {
      const values = this.#piece.subarray(0, Math.min(PIECE_VALUES, count - done));
      tensor.file.readFloats(tensor.name, first + done, values);
      words.set(packTensor(storage, values, tensor), wordCount(storage, done));
    }
    return { storage, words };
  }

  #storageFor({ dtype }: StoredTensor, { shape }: Place): PackedStorage | undefined {
    if (this.#storage === "f32") return undefined;
    if (this.#storage === "file") return packedAs[dtype];
    return !isBlocked(this.#storage) || (shape.at(-1) ?? 0) % BLOCK === 0 ? this.#storage : "bf16";
  }
}

/**
 * The words of values of a tensor.
 *
 * @throws `BasicError` `E_CONFIG` for values that half precision has no number for.
 */
export function packTensor(
  storage: PackedStorage,
  values: Float32Array,
  { file, name }: { file: { location: string }; name: string },
): Int32Array {
  try {
    return packers[storage](values);
  } catch (cause) {
    if (storage !== "f16") throw cause;
    throw new BasicError(
      "E_CONFIG",
      `${file.location}: tensor "${name}" holds values beyond 65504, the largest number of half precision (f16). Choose another \`storage\`: bf16, file or f32.`,
      { cause },
    );
  }
}

/** The values of a place, counted from the first one of its tensor. */
function extent({ shape, firstRow, rows }: Place): { readonly first: number; readonly count: number } {
  const width = shape.slice(1).reduce((size, dimension) => size * dimension, 1);
  return { first: firstRow * width, count: rows * width };
}
