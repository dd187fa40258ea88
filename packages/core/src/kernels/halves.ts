/** Bits of infinity; larger ones, without the sign, are not numbers. */
const INFINITE_FLOAT = 0x7f80_0000;
const INFINITE_HALF = 0x7c00;

/** Half-precision bits to a number. */
export function halfToFloat(half: number): number {
  const size = half & 0x7fff;
  // Below the smallest normal number the step is 2^-24.
  if (size < 0x400) return (half & 0x8000 ? -1 : 1) * size * 2 ** -24;
  // Exponents count from -15, those of a float32 from -127; the largest one stays the largest.
  const exponent = size < INFINITE_HALF ? 0x3800_0000 : 0x7000_0000;
  return floatOfBits(((half & 0x8000) << 16) | ((size << 13) + exponent));
}

let table: Float32Array | undefined;

/** What all 65,536 half-precision bits stand for; built once. */
export function halfValues(): Float32Array {
  table ??= Float32Array.from({ length: 0x1_0000 }, (_, bits) => halfToFloat(bits));
  return table;
}

/** A number, as float32, to half-precision bits, rounded to nearest even; from 65520 on it becomes infinite. */
export function floatToHalf(value: number): number {
  return halfOfBits(floatBits(value));
}

/** The bits of a float32 to those of half precision: {@link floatToHalf} without its number. */
export function halfOfBits(bits: number): number {
  const sign = (bits >>> 16) & 0x8000;
  const size = bits & 0x7fff_ffff;
  if (size > INFINITE_FLOAT) return 0x7e00;
  // 65520 and more.
  if (size >= 0x477f_f000) return sign | INFINITE_HALF;
  const exponent = size >>> 23;
  // 2^-14, the smallest normal number; below 2^-25 nothing is left.
  if (exponent >= 113) return sign | roundedShift(size - 0x3800_0000, 13);
  if (exponent < 102) return sign;
  return sign | roundedShift((size & 0x7f_ffff) | 0x80_0000, 126 - exponent);
}

/** The bits of a float32 to those of bfloat16, rounded to nearest even; infinities and NaN stay. */
export function bfloatOfBits(bits: number): number {
  if ((bits & 0x7fff_ffff) > INFINITE_FLOAT) return (bits >>> 16) | 0x40;
  return roundedShift(bits, 16);
}

const scratch = new Float32Array(1);
const scratchBits = new Uint32Array(scratch.buffer);

/** The bits of a value as float32. */
export function floatBits(value: number): number {
  scratch[0] = value;
  return scratchBits[0] as number;
}

/** The float32 that has these bits. */
export function floatOfBits(bits: number): number {
  scratchBits[0] = bits;
  return scratch[0] as number;
}

/** `bits / 2^shift`, halves to even. */
function roundedShift(bits: number, shift: number): number {
  return (bits + (1 << (shift - 1)) - 1 + ((bits >>> shift) & 1)) >>> shift;
}
