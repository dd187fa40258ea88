/** Filters of {@link resizeImage}, as Pillow names them. */
export type Filter = "nearest" | "box" | "bilinear" | "hamming" | "bicubic" | "lanczos";

/** Filters that weigh several pixels. */
export type WeighingFilter = Exclude<Filter, "nearest">;

/** For each place of the output: its first input place, how many there are, and their fixed-point weights. */
export interface Taps {
  readonly starts: Int32Array;
  readonly counts: Int32Array;
  /** `[places, most]`, with {@link PRECISION_BITS} fractional bits. */
  readonly weights: Int32Array;
  readonly most: number;
}

/** Fractional bits of a weight: 8 are for the pixel, 2 for sums that leave its range. */
export const PRECISION_BITS = 22;

/** The kernel and how far it reaches at scale 1. */
const FILTERS: Readonly<
  Record<WeighingFilter, { readonly support: number; readonly weigh: (x: number) => number }>
> = {
  box: { support: 0.5, weigh: (x) => (x > -0.5 && x <= 0.5 ? 1 : 0) },
  bilinear: { support: 1, weigh: (x) => Math.max(0, 1 - Math.abs(x)) },
  hamming: { support: 1, weigh: hamming },
  bicubic: { support: 2, weigh: bicubic },
  lanczos: { support: 3, weigh: (x) => (x >= -3 && x < 3 ? sinc(x) * sinc(x / 3) : 0) },
};

/**
 * Weights of the places `first … first + count − 1` of an axis that goes from `from` to `to` pixels.
 * The order of the operations is Pillow's, so that every weight is the same integer.
 */
export function tapsOf(
  filter: WeighingFilter,
  { from, to, first, count }: { from: number; to: number; first: number; count: number },
): Taps {
  const { weigh, support } = FILTERS[filter];
  const scale = from / to;
  const widening = Math.max(1, scale);
  const narrowing = 1 / widening;
  const reach = support * widening;
  const most = Math.ceil(reach) * 2 + 1;
  const taps = {
    starts: new Int32Array(count),
    counts: new Int32Array(count),
    weights: new Int32Array(count * most),
    most,
  };
  const values = new Float64Array(most);
  for (let place = 0; place < count; place++) {
    const center = (first + place + 0.5) * scale;
    const start = Math.max(0, Math.trunc(center - reach + 0.5));
    const size = Math.min(from, Math.trunc(center + reach + 0.5)) - start;
    let total = 0;
    for (let tap = 0; tap < size; tap++) {
      const value = weigh((tap + start - center + 0.5) * narrowing);
      values[tap] = value;
      total += value;
    }
    for (let tap = 0; tap < size; tap++) {
      const value = values[tap] as number;
      taps.weights[place * most + tap] = toFixedPoint(total === 0 ? value : value / total);
    }
    taps.starts[place] = start;
    taps.counts[place] = size;
  }
  return taps;
}

/** Input places of the nearest filter; −1 where the running sum has left the image. */
export function nearestPlaces(from: number, to: number): Int32Array {
  const step = from / to;
  const places = new Int32Array(to);
  // Pillow adds the step up instead of multiplying: the rounding is part of the result.
  let position = step * 0.5;
  for (let place = 0; place < to; place++, position += step) {
    places[place] = position < from ? Math.trunc(position) : -1;
  }
  return places;
}

/** Rounds half away from zero, as a C cast of `0.5 + x` and `−0.5 + x` does. */
function toFixedPoint(value: number): number {
  const scaled = value * 2 ** PRECISION_BITS;
  return Math.trunc(scaled < 0 ? scaled - 0.5 : scaled + 0.5);
}

function bicubic(distance: number): number {
  const x = Math.abs(distance);
  const a = -0.5;
  if (x < 1) return ((a + 2) * x - (a + 3)) * x * x + 1;
  if (x < 2) return (((x - 5) * x + 8) * x - 4) * a;
  return 0;
}

function hamming(distance: number): number {
  const x = Math.abs(distance);
  if (x === 0) return 1;
  if (x >= 1) return 0;
  const angle = x * Math.PI;
  // The two constants are single precision in Pillow.
  return (Math.sin(angle) / angle) * (Math.fround(0.54) + Math.fround(0.46) * Math.cos(angle));
}

function sinc(x: number): number {
  if (x === 0) return 1;
  const angle = x * Math.PI;
  return Math.sin(angle) / angle;
}
