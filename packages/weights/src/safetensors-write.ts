import { BasicError, formatShape } from "@basic-mllm/core";

import { bytesPerValue, encodeFloats, type FloatDType } from "./dtypes.js";

/** A tensor to be written. */
export interface NamedTensor {
  readonly name: string;
  readonly shape: readonly number[];
  readonly values: Float32Array | Int32Array;
}

/** A floating-point tensor whose values are asked for when its turn comes, once, and dropped after that. */
export interface LazyTensor {
  readonly name: string;
  readonly shape: readonly number[];
  /** The values, row-major. */
  readonly values: () => Float32Array | Promise<Float32Array>;
}

/** What the streaming writers take. */
export type WritableTensor = NamedTensor | LazyTensor;

/** Options of {@link encodeSafetensors}. */
export interface SafetensorsOptions {
  /** How Float32Arrays are stored. Default F32. Int32Arrays are I32. */
  readonly dtype?: FloatDType;
  readonly metadata?: Readonly<Record<string, string>>;
}

/** Values that are encoded at once: no tensor is in memory in both forms. */
const PIECE_VALUES = 2 ** 20;

/**
 * The file in pieces: the header, then the values. One tensor is in memory at a time, beside what the caller holds.
 *
 * @throws `BasicError` `E_SHAPE` when values do not fill their shape, `E_NAME_DUPLICATE`.
 */
export async function* safetensorsPieces(
  tensors: readonly WritableTensor[],
  { dtype = "F32", metadata = { format: "pt" } }: SafetensorsOptions = {},
): AsyncGenerator<Uint8Array, void, undefined> {
  yield encodeHeader(tensors, dtype, metadata);
  for (const { name, shape, values: source } of tensors) {
    const values = typeof source === "function" ? await source() : source;
    checkSize({ name, shape, values });
    yield* encoded(values, dtype);
  }
}

/** A whole file in memory. */
export function encodeSafetensors(
  tensors: readonly NamedTensor[],
  { dtype = "F32", metadata = { format: "pt" } }: SafetensorsOptions = {},
): Uint8Array {
  for (const tensor of tensors) checkSize(tensor);
  const header = encodeHeader(tensors, dtype, metadata);
  const size = tensors.reduce((sum, tensor) => sum + storedBytes(tensor, dtype), header.length);
  const file = new Uint8Array(size);
  file.set(header);
  let position = header.length;
  for (const { values } of tensors) {
    for (const piece of encoded(values, dtype)) {
      file.set(piece, position);
      position += piece.length;
    }
  }
  return file;
}

/** Bytes that a tensor takes in a file whose floats are stored as `dtype`. */
export function storedBytes({ shape, values }: WritableTensor, dtype: FloatDType): number {
  return sizeOf(shape) * bytesPerValue[values instanceof Int32Array ? "I32" : dtype];
}

function* encoded(values: Float32Array | Int32Array, dtype: FloatDType): Generator<Uint8Array> {
  if (values instanceof Int32Array || dtype === "F32") {
    yield new Uint8Array(values.buffer, values.byteOffset, values.byteLength);
    return;
  }
  for (let first = 0; first < values.length; first += PIECE_VALUES) {
    yield encodeFloats(values.subarray(first, first + PIECE_VALUES), dtype);
  }
}

/** Length, then JSON padded with spaces so that tensors start at a multiple of 8. */
function encodeHeader(
  tensors: readonly WritableTensor[],
  dtype: FloatDType,
  metadata: Readonly<Record<string, string>>,
): Uint8Array {
  checkNames(tensors);
  const header: Record<string, unknown> = { __metadata__: metadata };
  let position = 0;
  for (const tensor of tensors) {
    const { name, shape, values } = tensor;
    const end = position + storedBytes(tensor, dtype);
    const type = values instanceof Int32Array ? "I32" : dtype;
    header[name] = { dtype: type, shape, data_offsets: [position, end] };
    position = end;
  }
  const json = new TextEncoder().encode(JSON.stringify(header));
  const padded = Math.ceil(json.length / 8) * 8;
  const bytes = new Uint8Array(8 + padded).fill(0x20);
  new DataView(bytes.buffer).setBigUint64(0, BigInt(padded), true);
  bytes.set(json, 8);
  return bytes;
}

/** @throws `BasicError` `E_NAME_DUPLICATE`. */
export function checkNames(tensors: readonly WritableTensor[]): void {
  const seen = new Set<string>();
  for (const { name } of tensors) {
    if (seen.has(name) || name === "__metadata__") {
      const holder = name === "__metadata__" ? "the format itself" : "another tensor";
      throw new BasicError(
        "E_NAME_DUPLICATE",
        `safetensors: the name "${name}" is taken by ${holder}. Give each tensor a name of its own.`,
      );
    }
    seen.add(name);
  }
}

function checkSize({ name, shape, values }: NamedTensor): void {
  const size = sizeOf(shape);
  if (size === values.length) return;
  throw new BasicError(
    "E_SHAPE",
    `safetensors: tensor "${name}" of shape ${formatShape(shape)} needs ${size} values, got ${values.length}. Correct its shape.`,
  );
}

function sizeOf(shape: readonly number[]): number {
  return shape.reduce((product, dimension) => product * dimension, 1);
}
