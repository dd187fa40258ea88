import { floatBits } from "./halves.js";
import { emptyView, unpack, viewOf, wordCount, wordsOf } from "./quantised.js";

/**
 * How the optimizer stores a moment. `bfloat16` is two values an int32 word; `int8` is blocks of 256 values: a scale and
 * one byte a value, whose levels are fourth powers, so that small values keep their precision.
 */
export type MomentStorage = "float32" | "bfloat16" | "int8";

/** Every {@link MomentStorage}. */
export const momentStorages: readonly MomentStorage[] = ["float32", "bfloat16", "int8"];

/** What a packed moment is. */
export interface MomentCode {
  readonly storage: Exclude<MomentStorage, "float32">;
  /** First moments have a sign; second moments use it for precision, and above 0 they never become 0. */
  readonly second: boolean;
}

const BLOCK = 256;
const SCALE_BYTES = 4;
const BLOCK_BYTES = SCALE_BYTES + BLOCK;

/** Shape of a moment of a parameter of this shape: packed ones are int32 words. */
export function momentShape(storage: MomentStorage, shape: readonly number[]): readonly number[] {
  if (storage === "float32") return shape;
  const count = shape.reduce((size, n) => size * n, 1);
  if (storage === "bfloat16") return [wordCount("bf16", count)];
  return [Math.ceil(count / BLOCK) + Math.ceil(count / 4)];
}

/** Bytes of a moment of a parameter of this shape. */
export function momentBytes(storage: MomentStorage, shape: readonly number[]): number {
  return 4 * momentShape(storage, shape).reduce((size, n) => size * n, 1);
}

/** The `count` values of a packed moment. */
export function unpackMoment(
  { storage, second }: MomentCode,
  words: Int32Array,
  count: number,
): Float32Array {
  if (storage === "bfloat16") return unpack("bf16", words, count);
  const view = viewOf(words);
  const out = new Float32Array(count);
  for (let i = 0; i < count; i++) {
    const block = Math.floor(i / BLOCK) * BLOCK_BYTES;
    const place = block + SCALE_BYTES + (i % BLOCK);
    const code = second ? view.getUint8(place) : view.getInt8(place);
    const size = Math.fround(levelOf(Math.abs(code), second) * view.getFloat32(block, true));
    out[i] = code < 0 ? -size : size;
  }
  return out;
}

/**
 * Packs a moment. Values are rounded up or down at random, so that the mean over steps is right: rounded to nearest, a
 * moment would stop where its steps are smaller than half of a level. The randomness is a function of step and index.
 */
export function packMoment(code: MomentCode, values: ArrayLike<number>, step: number): Int32Array {
  const view = emptyView(momentShape(code.storage, [values.length])[0] as number);
  if (code.storage === "bfloat16") {
    for (let i = 0; i < values.length; i++) {
      const bits = floatBits(values[i] as number) + noise(step, i, code.second);
      view.setUint16(i * 2, bits >>> 16, true);
    }
    return wordsOf(view);
  }
  for (let first = 0; first < values.length; first += BLOCK) packBlock(view, { code, values, first, step });
  return wordsOf(view);
}

function packBlock(
  view: DataView,
  block: { code: MomentCode; values: ArrayLike<number>; first: number; step: number },
): void {
  const { values, first, step, code } = block;
  const place = (first / BLOCK) * BLOCK_BYTES;
  const last = Math.min(first + BLOCK, values.length);
  let largest = 0;
  for (let i = first; i < last; i++) largest = Math.max(largest, Math.abs(values[i] as number));
  // Rounded up to bfloat16: no value is above 1 then.
  view.setUint32(place, (floatBits(largest) + 0xffff) & 0xffff0000, true);
  const scale = view.getFloat32(place, true);
  for (let i = first; i < last; i++) {
    const value = Math.fround(values[i] as number);
    const size = scale > 0 ? Math.fround(Math.abs(value) / scale) : 0;
    const level = roundAtRandom(size, noise(step, i, code.second), code.second);
    view.setInt8(place + SCALE_BYTES + i - first, value < 0 ? -level : level);
  }
}

/** The level of a value in 0 to 1: one of the two beside it, so that the mean is the value. */
function roundAtRandom(value: number, random: number, second: boolean): number {
  const root = Math.fround(Math.sqrt(Math.fround(Math.sqrt(value))));
  const below = Math.trunc(Math.fround(root * levels(second)));
  const low = levelOf(below, second);
  const gap = Math.fround(levelOf(below + 1, second) - low);
  const up = Math.fround((random / 2 ** 16) * gap) < Math.fround(value - low);
  const level = below + (up ? 1 : 0);
  return second && value > 0 ? Math.max(level, 1) : level;
}

function levels(second: boolean): number {
  return second ? 255 : 127;
}

/** `(code / levels)⁴`, rounded as float32 in each step. */
function levelOf(code: number, second: boolean): number {
  const root = Math.fround(code * Math.fround(1 / levels(second)));
  const square = Math.fround(root * root);
  return Math.fround(square * square);
}

/** 16 random bits of an element in a step; other ones for the second moment. */
function noise(step: number, index: number, second: boolean): number {
  let x = Math.imul(index, 0x9e3779b1) + Math.imul(step, 0x85ebca77);
  x ^= x >>> 16;
  x = Math.imul(x, 0x7feb352d);
  x ^= x >>> 15;
  x = Math.imul(x, 0x846ca68b);
  x ^= x >>> 16;
  return second ? x & 0xffff : x >>> 16;
}
