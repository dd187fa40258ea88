import { halfToFloat } from "@basic-mllm/core";

/** Values as IEEE half floats, rounded to nearest even; too large ones become infinite. */
export function toHalf(values: Float32Array): Uint16Array {
  const words = new Uint32Array(values.buffer, values.byteOffset, values.length);
  const halves = new Uint16Array(values.length);
  for (let i = 0; i < words.length; i++) halves[i] = halfBits(words[i] as number);
  return halves;
}

/** Half floats as numbers, written into `target` from `start` on. */
export function fromHalf(values: Uint16Array, target: Float32Array, start = 0): void {
  const known = halfValues();
  for (let i = 0; i < values.length; i++) target[start + i] = known[values[i] as number] as number;
}

/** @param word - Bits of a float. */
function halfBits(word: number): number {
  const sign = (word >>> 16) & 0x8000;
  const magnitude = word & 0x7fffffff;
  if (magnitude > 0x7f800000) return sign | 0x7e00; // not a number
  if (magnitude >= 0x477ff000) return sign | 0x7c00; // rounds beyond 65,504
  if (magnitude < 0x38800000) return sign | subnormal(magnitude);
  const rest = magnitude - 0x38000000;
  const rounded = (rest >>> 13) + roundUp(rest & 0x1fff, (rest >>> 13) & 1);
  return sign | rounded;
}

/** 1 where the lower 13 bits round up: over one half, or one half above an odd number. */
function roundUp(lower: number, odd: number): number {
  return lower > 0x1000 || (lower === 0x1000 && odd === 1) ? 1 : 0;
}

/** Below 2^-14: a multiple of 2^-24. */
function subnormal(magnitude: number): number {
  const exponent = magnitude >>> 23;
  if (exponent < 102) return 0; // below 2^-25
  const significand = (magnitude & 0x7fffff) | 0x800000;
  const shift = 126 - exponent;
  const kept = significand >>> shift;
  const rest = significand - kept * 2 ** shift;
  const half = 2 ** (shift - 1);
  return rest > half || (rest === half && kept % 2 === 1) ? kept + 1 : kept;
}

let table: Float32Array | undefined;

/** Value of each of the 65,536 half floats. */
function halfValues(): Float32Array {
  table ??= Float32Array.from({ length: 0x10000 }, (_, half) => halfToFloat(half));
  return table;
}
