import { BasicError } from "../errors.js";

/**
 * How a frozen weight is stored. `q8_0`, `q4_0` and `q4_1` are GGUF's block formats: 32 values of a row share a
 * half-precision scale (and, in `q4_1`, a minimum).
 */
export type Storage = "f32" | "bf16" | "q8_0" | "q4_0" | "q4_1";

/** A {@link Storage} that is packed into int32 words. */
export type PackedStorage = Exclude<Storage, "f32">;

/** Every {@link Storage}. */
export const storages: readonly Storage[] = ["f32", "bf16", "q8_0", "q4_0", "q4_1"];

/** Values of one block of the block formats. */
export const BLOCK = 32;

const blockBytes: Readonly<Record<Exclude<PackedStorage, "bf16">, number>> = { q8_0: 34, q4_0: 18, q4_1: 20 };

/** Number of int32 words that `count` values take. */
export function wordCount(storage: PackedStorage, count: number): number {
  const bytes = storage === "bf16" ? count * 2 : (count / BLOCK) * blockBytes[storage];
  return Math.ceil(bytes / 4);
}

/** Packs values as bfloat16, two a word, rounded to nearest even; infinities and NaN stay. */
export function packBf16(values: ArrayLike<number>): Int32Array {
  const words = new Int32Array(wordCount("bf16", values.length));
  for (let i = 0; i < values.length; i++) {
    const bits = floatBits(values[i] as number);
    const isNan = (bits & 0x7fff_ffff) > 0x7f80_0000;
    const rounded = isNan ? (bits >>> 16) | 0x40 : (bits + 0x7fff + ((bits >>> 16) & 1)) >>> 16;
    words[i >>> 1] = (words[i >>> 1] as number) | (rounded << ((i & 1) * 16));
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
    scratchBits[0] = (i & 1) === 0 ? word << 16 : word & 0xffff_0000;
    out[i] = scratch[0] as number;
  }
  return out;
}

/** Half-precision bits to a number. */
export function halfToFloat(half: number): number {
  const sign = half & 0x8000 ? -1 : 1;
  const exponent = (half >>> 10) & 31;
  const fraction = half & 1023;
  if (exponent === 0) return sign * fraction * 2 ** -24;
  if (exponent === 31) return fraction === 0 ? sign * Number.POSITIVE_INFINITY : Number.NaN;
  return sign * (1 + fraction / 1024) * 2 ** (exponent - 15);
}

/** A number to half-precision bits, rounded to nearest even; beyond 65519 it becomes infinite. */
export function floatToHalf(value: number): number {
  const sign = value < 0 || Object.is(value, -0) ? 0x8000 : 0;
  const size = Math.abs(value);
  if (Number.isNaN(value)) return 0x7e00;
  if (size >= 65_520) return sign | 0x7c00;
  // Below the smallest normal number the step stays 2^-24.
  const exponent = Math.max(Math.floor(Math.log2(size)), -14);
  const step = 2 ** (exponent - 10);
  // A fraction that rounds up to 2048 carries into the exponent by itself.
  return sign | (roundToEven(size / step) + (exponent + 14) * 1024);
}

function unpackBlock(
  storage: Exclude<PackedStorage, "bf16">,
  view: DataView,
  offset: number,
  out: Float32Array,
): void {
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
  storage: Exclude<PackedStorage, "bf16">,
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
  if (storage === "bf16" || count % BLOCK === 0) return;
  throw new BasicError(
    "E_WEIGHTS_FORMAT",
    `${storage} stores blocks of ${BLOCK} values, got ${count} values. Use bf16 or f32 for this weight.`,
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

function roundToEven(value: number): number {
  const floor = Math.floor(value);
  const rest = value - floor;
  if (rest !== 0.5) return Math.round(value);
  return floor % 2 === 0 ? floor : floor + 1;
}

const scratch = new Float32Array(1);
const scratchBits = new Uint32Array(scratch.buffer);

/** The bits of a value as float32. */
export function floatBits(value: number): number {
  scratch[0] = value;
  return scratchBits[0] as number;
}
