const floats = new Float32Array(1);
const bits = new Uint32Array(floats.buffer);

/** Values as IEEE half floats, rounded to nearest even; too large ones become infinite. */
export function toHalf(values: Float32Array): Uint16Array {
  return Uint16Array.from(values, halfBits);
}

/** Half floats as numbers, written into `target` from `start` on. */
export function fromHalf(values: Uint16Array, target: Float32Array, start = 0): void {
  for (let i = 0; i < values.length; i++) {
    target[start + i] = halfValues()[values[i] as number] as number;
  }
}

function halfBits(value: number): number {
  floats[0] = value;
  const word = bits[0] as number;
  const sign = (word >>> 16) & 0x8000;
  const magnitude = word & 0x7fffffff;
  if (magnitude > 0x7f800000) return sign | 0x7e00; // not a number
  if (magnitude >= 0x477ff000) return sign | 0x7c00; // rounds beyond 65,504
  if (magnitude < 0x38800000) return sign | roundEven(Math.abs(value) * 2 ** 24); // subnormal
  const rest = magnitude - 0x38000000;
  const rounded = (rest >>> 13) + roundUp(rest & 0x1fff, (rest >>> 13) & 1);
  return sign | rounded;
}

/** 1 where the lower 13 bits round up: over one half, or one half above an odd number. */
function roundUp(lower: number, odd: number): number {
  return lower > 0x1000 || (lower === 0x1000 && odd === 1) ? 1 : 0;
}

function roundEven(value: number): number {
  const floor = Math.floor(value);
  const fraction = value - floor;
  if (fraction > 0.5 || (fraction === 0.5 && floor % 2 === 1)) return floor + 1;
  return floor;
}

let table: Float32Array | undefined;

/** Value of each of the 65,536 half floats. */
function halfValues(): Float32Array {
  table ??= Float32Array.from({ length: 0x10000 }, (_, half) => {
    const sign = half & 0x8000 ? -1 : 1;
    const exponent = (half >>> 10) & 0x1f;
    const fraction = half & 0x3ff;
    if (exponent === 0x1f) return fraction === 0 ? sign * Number.POSITIVE_INFINITY : Number.NaN;
    if (exponent === 0) return sign * fraction * 2 ** -24;
    return sign * (1 + fraction / 1024) * 2 ** (exponent - 15);
  });
  return table;
}
