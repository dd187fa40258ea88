import { BasicError, formatShape, packQ8_0 } from "@basic-mllm/core";

import { encodeFloats } from "../dtypes.js";
import { writeAtomically } from "../files.js";
import { type GgufFieldValues, HeaderBytes } from "./field-values.js";
import { blockLayouts, byteLength, type GgufType } from "./tensor-types.js";

/** Types that we write. */
export type WrittenType = Extract<GgufType, "F32" | "F16" | "BF16" | "Q8_0">;

/** Names of the types that we write. */
export const writtenTypes: readonly WrittenType[] = ["F32", "F16", "BF16", "Q8_0"];

/** A tensor to be written. */
export interface GgufTensor {
  readonly name: string;
  /** Row-major, as in Hugging Face's files; the file has it reversed. */
  readonly shape: readonly number[];
  readonly type: WrittenType;
  /** Its values, asked for when the file has come to it. */
  readonly values: () => Float32Array | Promise<Float32Array>;
}

/** What a GGUF file holds. */
export interface GgufContents {
  readonly fields: GgufFieldValues;
  readonly tensors: readonly GgufTensor[];
}

/** Where tensors begin, unless `general.alignment` says otherwise. */
const ALIGNMENT = 32;
const VERSION = 3;
const MAX_DIMENSIONS = 4;

/**
 * Writes a GGUF file, version 3: the whole file or nothing. One tensor at a time is in memory.
 *
 * @throws `BasicError` `E_SHAPE` where values do not fill a shape or rows are no whole blocks, `E_NAME_DUPLICATE`,
 *   `E_DISK_FULL`.
 */
export async function writeGguf(path: string, contents: GgufContents): Promise<void> {
  await writeAtomically(path, ggufPieces(contents));
}

/** The file in pieces: the header, then one or two pieces per tensor. */
export async function* ggufPieces({ fields, tensors }: GgufContents): AsyncGenerator<Uint8Array> {
  yield encodeHeader(fields, tensors);
  for (const tensor of tensors) {
    const bytes = encode(tensor, await tensor.values());
    yield bytes;
    const rest = padding(bytes.length);
    if (rest > 0) yield new Uint8Array(rest);
  }
}

function encodeHeader(fields: GgufFieldValues, tensors: readonly GgufTensor[]): Uint8Array {
  const header = new HeaderBytes();
  header.uint32(0x46554747);
  header.uint32(VERSION);
  header.uint64(tensors.length);
  header.uint64(Object.keys(fields).length);
  for (const [name, value] of Object.entries(fields)) {
    header.string(name);
    header.value(value);
  }
  const seen = new Set<string>();
  let offset = 0;
  for (const tensor of tensors) {
    checkTensor(tensor, seen);
    const { name, shape, type } = tensor;
    header.string(name);
    header.uint32(shape.length);
    for (const dimension of [...shape].reverse()) header.uint64(dimension);
    header.uint32(blockLayouts[type].id);
    header.uint64(offset);
    const size = byteLength(type, countOf(shape));
    offset += size + padding(size);
  }
  header.align(ALIGNMENT);
  return header.bytes;
}

function checkTensor({ name, shape, type }: GgufTensor, seen: Set<string>): void {
  if (seen.has(name)) {
    throw new BasicError(
      "E_NAME_DUPLICATE",
      `writeGguf: there are two tensors "${name}". Give each a name of its own.`,
    );
  }
  seen.add(name);
  if (shape.length < 1 || shape.length > MAX_DIMENSIONS || shape.includes(0)) {
    throw new BasicError(
      "E_SHAPE",
      `writeGguf: tensor "${name}" must have 1 to ${MAX_DIMENSIONS} dimensions of at least 1, got the shape ${formatShape(shape)}. Reshape it.`,
    );
  }
  const { values } = blockLayouts[type];
  const row = shape.at(-1) ?? 0;
  if (row % values === 0) return;
  throw new BasicError(
    "E_SHAPE",
    `writeGguf: tensor "${name}" has rows of ${row} values, expected whole blocks of ${values} for the type ${type}. Write it as F16.`,
  );
}

function encode({ name, shape, type }: GgufTensor, values: Float32Array): Uint8Array {
  const count = countOf(shape);
  if (values.length !== count) {
    throw new BasicError(
      "E_SHAPE",
      `writeGguf: tensor "${name}" of shape ${formatShape(shape)} needs ${count} values, got ${values.length}. Correct its shape.`,
    );
  }
  if (type !== "Q8_0") return encodeFloats(values, type);
  const words = packQ8_0(values);
  // Packed words end at a multiple of 4 bytes, the blocks may end before.
  return new Uint8Array(words.buffer, words.byteOffset, byteLength(type, count));
}

function countOf(shape: readonly number[]): number {
  return shape.reduce((product, dimension) => product * dimension, 1);
}

function padding(size: number): number {
  return (ALIGNMENT - (size % ALIGNMENT)) % ALIGNMENT;
}
