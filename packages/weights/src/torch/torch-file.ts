import { BasicError, formatShape } from "@basic-mllm/core";

import { bytesPerValue, decodeFloats, decodeIntegers } from "../dtypes.js";
import { openBytes } from "../files.js";
import { type ByteSource, bytesInMemory, type TensorFile } from "../safetensors.js";
import type { TensorInfo } from "../safetensors-header.js";
import { PickledTensor, readPickle } from "./pickle.js";
import { quote, readZipEntries, type ZipEntry } from "./zip.js";

/** The description of all tensors; checkpoints have some kilobytes. */
const MAX_PICKLE_BYTES = 64 * 2 ** 20;

/**
 * A file of `torch.save` (`mm_projector.bin`, `pytorch_model.bin`): a dictionary of tensors. Tensors are read when
 * they are asked for. Only tensors are accepted: nothing that the file names is ever run.
 */
export class TorchFile implements TensorFile {
  readonly location: string;
  readonly #source: ByteSource;
  readonly #entries: ReadonlyMap<string, ZipEntry>;
  readonly #tensors: ReadonlyMap<string, PickledTensor>;
  /** Root folder inside of the archive, with its slash. */
  readonly #folder: string;

  /** @throws `BasicError` `E_WEIGHTS_FORMAT` for a damaged file, for one of other objects, and for the form before PyTorch 1.6. */
  constructor(source: ByteSource | Uint8Array) {
    this.#source = source instanceof Uint8Array ? bytesInMemory(source) : source;
    this.location = this.#source.location;
    refuseLegacy(this.#source);
    this.#entries = readZipEntries(this.#source);
    const { folder, pickle } = findPickle(this.#source, this.#entries);
    this.#tensors = tensorsOf(readPickle(pickle, this.location), this.location);
    this.#folder = folder;
    for (const [name, tensor] of this.#tensors) this.#check(name, tensor);
  }

  get names(): readonly string[] {
    return [...this.#tensors.keys()];
  }

  /** Whether the file holds a tensor of that name. */
  has(name: string): boolean {
    return this.#tensors.has(name);
  }

  /** @throws `BasicError` `E_WEIGHTS_MISSING`. */
  entry(name: string): TensorInfo {
    const { shape, storage } = this.#get(name);
    return { name, dtype: storage.dtype, shape };
  }

  /** Values of an F64, F32, F16 or BF16 tensor, row-major whatever its strides. */
  floats(name: string): Float32Array {
    const tensor = this.#get(name);
    return gather(tensor, decodeFloats(this.#span(tensor), tensor.storage.dtype, this.#where(name)));
  }

  /** {@link floats} of a part of a tensor. The whole tensor is read: its values may lie in any order. */
  readFloats(name: string, first: number, target: Float32Array): void {
    target.set(this.floats(name).subarray(first, first + target.length));
  }

  /** Values of an I32, I64, U8 or bool tensor, row-major whatever its strides. */
  integers(name: string): Int32Array {
    const tensor = this.#get(name);
    return gather(tensor, decodeIntegers(this.#span(tensor), tensor.storage.dtype, this.#where(name)));
  }

  /** Closes the file, where there is one. */
  close(): void {
    this.#source.close();
  }

  #get(name: string): PickledTensor {
    const tensor = this.#tensors.get(name);
    if (tensor !== undefined) return tensor;
    throw new BasicError("E_WEIGHTS_MISSING", `${this.location} holds no tensor "${name}".`);
  }

  #where(name: string): string {
    return `${this.location}: tensor "${name}"`;
  }

  /** Bytes from the first to the last value of a tensor; storages may be shared, and larger. */
  #span(tensor: PickledTensor): Uint8Array {
    const { storage, offset } = tensor;
    const entry = this.#storage(tensor);
    const begin = entry.begin + offset * bytesPerValue[storage.dtype];
    return this.#source.read(begin, begin + reach(tensor) * bytesPerValue[storage.dtype]);
  }

  #storage({ storage }: PickledTensor): ZipEntry {
    const entry = this.#entries.get(`${this.#folder}data/${storage.key}`);
    if (entry !== undefined) return entry;
    throw invalid(this.location, `its storage ${quote(storage.key)} is missing`);
  }

  #check(name: string, tensor: PickledTensor): void {
    const { storage, offset, shape, strides } = tensor;
    const entry = this.#storage(tensor);
    const capacity = (entry.end - entry.begin) / bytesPerValue[storage.dtype];
    if (storage.size > capacity || offset + reach(tensor) > storage.size) {
      throw invalid(
        this.location,
        `tensor ${quote(name)} of shape ${formatShape(shape)}, strides ${formatShape(strides)} and offset ${offset} ` +
          `reaches beyond its storage of ${Math.min(storage.size, capacity)} values`,
      );
    }
    if (count(shape) > reach(tensor)) {
      throw invalid(
        this.location,
        `tensor ${quote(name)} of shape ${formatShape(shape)} repeats the values of its storage. ` +
          "Save it again after .contiguous()",
      );
    }
  }
}

/**
 * Opens a file of `torch.save`. Close it after use.
 *
 * @throws `BasicError` `E_WEIGHTS_MISSING` when it cannot be opened, `E_WEIGHTS_FORMAT` for anything but tensors.
 */
export function readTorchFile(path: string): TorchFile {
  const source = openBytes(path);
  try {
    return new TorchFile(source);
  } catch (error) {
    source.close();
    throw error;
  }
}

/** Files from before PyTorch 1.6 begin with a pickled number instead of a zip header. */
function refuseLegacy(source: ByteSource): void {
  const first = source.read(0, Math.min(2, source.size));
  if (first[0] !== 0x80) return;
  throw new BasicError(
    "E_WEIGHTS_FORMAT",
    `${source.location} has the form of torch.save from before PyTorch 1.6, expected a zip archive. ` +
      "Load it with PyTorch (weights_only=True) and save it again.",
  );
}

function findPickle(
  source: ByteSource,
  entries: ReadonlyMap<string, ZipEntry>,
): { folder: string; pickle: Uint8Array } {
  const path = [...entries.keys()].find((name) => /^[^/]+\/data\.pkl$/.test(name));
  const entry = path === undefined ? undefined : entries.get(path);
  if (path === undefined || entry === undefined) {
    throw invalid(source.location, "it has no entry data.pkl. Is it an archive of another program?");
  }
  const folder = path.slice(0, -"data.pkl".length);
  const order = entries.get(`${folder}byteorder`);
  const size = entry.end - entry.begin;
  if (size > MAX_PICKLE_BYTES) {
    throw invalid(source.location, `data.pkl has ${size} bytes (limit ${MAX_PICKLE_BYTES})`);
  }
  if (order !== undefined && !isLittle(source, order)) {
    throw invalid(source.location, "its byte order is not little");
  }
  return { folder, pickle: source.read(entry.begin, entry.end) };
}

function isLittle(source: ByteSource, { begin, end }: ZipEntry): boolean {
  return end - begin === 6 && new TextDecoder().decode(source.read(begin, end)) === "little";
}

function tensorsOf(root: unknown, location: string): ReadonlyMap<string, PickledTensor> {
  if (!(root instanceof Map)) throw invalid(location, "it holds no dictionary of tensors");
  const tensors = new Map<string, PickledTensor>();
  for (const [name, value] of root as Map<unknown, unknown>) {
    if (typeof name !== "string" || !(value instanceof PickledTensor)) {
      throw invalid(
        location,
        `its entry ${typeof name === "object" ? "whose name is no text" : quote(String(name))} is ${value instanceof Map ? "a dictionary" : "no tensor"}, expected a flat dictionary of tensors. ` +
          "Save the inner dictionary alone",
      );
    }
    tensors.set(name, value);
  }
  return tensors;
}

function count(shape: readonly number[]): number {
  return shape.reduce((product, size) => product * size, 1);
}

/** Values from the first to the last of a tensor, both included. */
function reach({ shape, strides }: PickledTensor): number {
  if (shape.includes(0)) return 0;
  return shape.reduce((last, size, axis) => last + (size - 1) * (strides[axis] ?? 0), 1);
}

/** Row-major values of a strided view. */
function gather<T extends Float32Array | Int32Array>({ shape, strides }: PickledTensor, values: T): T {
  const size = count(shape);
  const result = values.slice(0, size) as T;
  const index = new Array<number>(shape.length).fill(0);
  let from = 0;
  for (let to = 0; to < size; to++) {
    result[to] = values[from] as number;
    for (let axis = shape.length - 1; axis >= 0; axis--) {
      const stride = strides[axis] as number;
      const next = (index[axis] as number) + 1;
      from += stride;
      if (next < (shape[axis] as number)) {
        index[axis] = next;
        break;
      }
      from -= next * stride;
      index[axis] = 0;
    }
  }
  return result;
}

function invalid(location: string, problem: string): BasicError {
  return new BasicError("E_WEIGHTS_FORMAT", `${location} is not a readable file of torch.save: ${problem}.`);
}
