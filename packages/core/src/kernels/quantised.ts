import { BasicError } from "../errors.js";
import { bfloatOfBits, floatBits, floatOfBits, floatToHalf, halfToFloat, halfValues } from "./halves.js";

/**
 * How a frozen weight is stored. `bf16` and `f16` take two bytes a value. `q8_0`, `q4_0` and `q4_1` are GGUF's block
 * formats: 32 values of a row share a half-precision scale (and, in `q4_1`, a minimum).
 */
export type Storage = "f32" | "bf16" | "f16" | "q8_0" | "q4_0" | "q4_1";

/** A {@link Storage} that is packed into int32 words. */
export type PackedStorage = Exclude<Storage, "f32">;

/** Every {@link Storage}. */
export const storages: readonly Storage[] = ["f32", "bf16", "f16", "q8_0", "q4_0", "q4_1"];

/** Values of one block of the block formats. */
export const BLOCK = 32;

const blockBytes = { q8_0: 34, q4_0: 18, q4_1: 20 } as const;

type BlockStorage = keyof typeof blockBytes;

/** Whether values are stored in blocks of 32. */
export function isBlocked(storage: Storage): storage is BlockStorage {
  return Object.hasOwn(blockBytes, storage);
}

/** Number of int32 words that `count` values take. */
export function wordCount(storage: PackedStorage, count: number): number {
  const bytes = isBlocked(storage) ? (count / BLOCK) * blockBytes[storage] : count * 2;
  return Math.ceil(bytes / 4);
}

/** Packs values as bfloat16, two a word, rounded to nearest even; infinities and NaN stay. */
export function packBf16(values: ArrayLike<number>): Int32Array {
  const words = new Int32Array(Math.ceil(values.length / 2));
  for (let i = 0; i < values.length; i++) {
    const half = bfloatOfBits(floatBits(values[i] as number));
    words[i >>> 1] = (words[i >>> 1] as number) | (half << ((i & 1) * 16));
  }
  return words;
}

/**
 * Packs values as half precision, two a word, rounded to nearest even; infinities and NaN stay.
 *
 * @throws {@link BasicError} `E_WEIGHTS_FORMAT` for a finite value that would become infinite: from 65520 on.
 */
export function packF16(values: ArrayLike<number>): Int32Array {
  const words = new Int32Array(Math.ceil(values.length / 2));
  for (let i = 0; i < values.length; i++) {
    const value = values[i] as number;
    if (Math.abs(value) >= 65_520 && Number.isFinite(value)) {
      throw new BasicError(
        "E_WEIGHTS_FORMAT",
        `${value} is beyond the largest number of half precision, 65504. Store these weights as bf16 or f32.`,
      );
    }
    words[i >>> 1] = (words[i >>> 1] as number) | (floatToHalf(value) << ((i & 1) * 16));
  }
  return words;
}

/**
 * Packs values as `q8_0`: scale max|x| / 127 and 32 rounded int8 a block.
 *
 * @throws {@link BasicError} `E_WEIGHTS_FORMAT` unless the count is a multiple of 32.
 */
export function packQ8_0(values: ArrayLike<number>): Int32Array {
  return packBlocks("q8_0", values, (view, offset, block) => {
    let largest = 0;
    for (let i = 0; i < BLOCK; i++) largest = Math.max(largest, Math.abs(block[i] as number));
    const scale = largest / 127;
    view.setUint16(offset, floatToHalf(scale), true);
    for (let i = 0; i < BLOCK; i++) {
      view.setInt8(offset + 2 + i, roundAway(scaled(block[i] as number, scale)));
    }
  });
}

/**
 * Packs values as `q4_0`: `x ≈ scale · (q − 8)`, the scale chosen so that the largest |x| becomes −8.
 *
 * @throws {@link BasicError} `E_WEIGHTS_FORMAT` unless the count is a multiple of 32.
 */
export function packQ4_0(values: ArrayLike<number>): Int32Array {
  return packBlocks("q4_0", values, (view, offset, block) => {
    let largest = 0;
    for (let i = 0; i < BLOCK; i++) {
      const value = block[i] as number;
      if (Math.abs(value) > Math.abs(largest)) largest = value;
    }
    const scale = largest / -8;
    view.setUint16(offset, floatToHalf(scale), true);
    for (let i = 0; i < BLOCK; i++) block[i] = scaled(block[i] as number, scale) + 8.5;
    setNibbles(view, offset + 2, block);
  });
}

/**
 * Packs values as `q4_1`: `x ≈ scale · q + minimum`.
 *
 * @throws {@link BasicError} `E_WEIGHTS_FORMAT` unless the count is a multiple of 32.
 */
export function packQ4_1(values: ArrayLike<number>): Int32Array {
  return packBlocks("q4_1", values, (view, offset, block) => {
    let [minimum, maximum] = [Infinity, -Infinity];
    for (let i = 0; i < BLOCK; i++) {
      minimum = Math.min(minimum, block[i] as number);
      maximum = Math.max(maximum, block[i] as number);
    }
    const scale = (maximum - minimum) / 15;
    view.setUint16(offset, floatToHalf(scale), true);
    view.setUint16(offset + 2, floatToHalf(minimum), true);
    for (let i = 0; i < BLOCK; i++) block[i] = scaled((block[i] as number) - minimum, scale) + 0.5;
    setNibbles(view, offset + 4, block);
  });
}

/** How values are packed in each way. */
export const packers: Readonly<Record<PackedStorage, (values: ArrayLike<number>) => Int32Array>> = {
  bf16: packBf16,
  f16: packF16,
  q8_0: packQ8_0,
  q4_0: packQ4_0,
  q4_1: packQ4_1,
};

/**
 * The `count` values that packed words stand for.
 *
 * @throws {@link BasicError} `E_WEIGHTS_FORMAT` when there are too few words.
 */
export function unpack(storage: PackedStorage, words: Int32Array, count: number): Float32Array {
  checkBlocks(storage, count);
  const expected = wordCount(storage, count);
  if (words.length < expected) {
    throw new BasicError(
      "E_WEIGHTS_FORMAT",
      `unpack: ${count} ${storage} values need ${expected} words, got ${words.length}.`,
    );
  }
  if (storage === "bf16") return unpackBf16(words, count);
  if (storage === "f16") return unpackF16(words, count);
  const view = viewOf(words);
  const out = new Float32Array(count);
  for (let block = 0; block * BLOCK < count; block++) {
    unpackBlock(storage, view, block * blockBytes[storage], out.subarray(block * BLOCK, (block + 1) * BLOCK));
  }
  return out;
}

function unpackBf16(words: Int32Array, count: number): Float32Array {
  const out = new Float32Array(count);
  for (let i = 0; i < count; i++) {
    const word = words[i >>> 1] as number;
    out[i] = floatOfBits((i & 1) === 0 ? word << 16 : word & ~0xffff);
  }
  return out;
}

function unpackF16(words: Int32Array, count: number): Float32Array {
  const values = halfValues();
  const out = new Float32Array(count);
  for (let i = 0; i < count; i++) {
    out[i] = values[((words[i >>> 1] as number) >>> ((i & 1) * 16)) & 0xffff] as number;
  }
  return out;
}

function unpackBlock(storage: BlockStorage, view: DataView, offset: number, out: Float32Array): void {
  const scale = halfToFloat(view.getUint16(offset, true));
  if (storage === "q8_0") {
    for (let i = 0; i < BLOCK; i++) out[i] = scale * view.getInt8(offset + 2 + i);
    return;
  }
  const isQ4_1 = storage === "q4_1";
  const minimum = isQ4_1 ? halfToFloat(view.getUint16(offset + 2, true)) : 0;
  for (let i = 0; i < BLOCK / 2; i++) {
    const byte = view.getUint8(offset + (isQ4_1 ? 4 : 2) + i);
    out[i] = isQ4_1 ? scale * (byte & 15) + minimum : scale * ((byte & 15) - 8);
    out[i + BLOCK / 2] = isQ4_1 ? scale * (byte >>> 4) + minimum : scale * ((byte >>> 4) - 8);
  }
}

/** Value i in the low half of byte i, value i + 16 in the high half. */
function setNibbles(view: DataView, offset: number, levels: Float64Array): void {
  for (let i = 0; i < BLOCK / 2; i++) {
    const low = Math.min(15, Math.trunc(levels[i] as number));
    const high = Math.min(15, Math.trunc(levels[i + BLOCK / 2] as number));
    view.setUint8(offset + i, low | (high << 4));
  }
}

/** @param pack - Writes one block; it may change its 32 values. */
function packBlocks(
  storage: BlockStorage,
  values: ArrayLike<number>,
  pack: (view: DataView, offset: number, block: Float64Array) => void,
): Int32Array {
  checkBlocks(storage, values.length);
  const view = emptyView(wordCount(storage, values.length));
  const block = new Float64Array(BLOCK);
  for (let first = 0; first < values.length; first += BLOCK) {
    for (let i = 0; i < BLOCK; i++) block[i] = values[first + i] as number;
    pack(view, (first / BLOCK) * blockBytes[storage], block);
  }
  return wordsOf(view);
}

function checkBlocks(storage: PackedStorage, count: number): void {
  if (!isBlocked(storage) || count % BLOCK === 0) return;
  throw new BasicError(
    "E_WEIGHTS_FORMAT",
    `${storage} stores blocks of ${BLOCK} values, got ${count} values. Use bf16, f16 or f32 for this weight.`,
  );
}

/** Bytes are little endian whatever the machine is, so words go through a DataView. */
export function emptyView(words: number): DataView {
  return new DataView(new ArrayBuffer(words * 4));
}

/** The words of a view. */
export function wordsOf(view: DataView): Int32Array {
  const words = new Int32Array(view.byteLength / 4);
  for (let i = 0; i < words.length; i++) words[i] = view.getInt32(i * 4, true);
  return words;
}

/** A view of a copy of words. */
export function viewOf(words: Int32Array): DataView {
  const view = emptyView(words.length);
  for (let i = 0; i < words.length; i++) view.setInt32(i * 4, words[i] as number, true);
  return view;
}

function scaled(value: number, scale: number): number {
  return scale === 0 ? 0 : value / scale;
}

/** Halves away from zero, as C's `roundf`. */
function roundAway(value: number): number {
  return value < 0 ? -Math.floor(0.5 - value) : Math.floor(value + 0.5);
}
