/** Mean and sample standard deviation. */
export interface Spread {
  readonly mean: number;
  /** Divided by n − 1; 0 for a single value. */
  readonly spread: number;
  readonly n: number;
}

/** Result of {@link pairedTTest}. */
export interface PairedTest {
  /** Mean of the differences. */
  readonly mean: number;
  /** Degrees of freedom, n − 1. */
  readonly df: number;
  /** t statistic; null with fewer than two pairs, or where all differences are equal. */
  readonly t: number | null;
  /** Two-sided p value; null with fewer than two pairs. */
  readonly p: number | null;
}

/** Mean and spread of values; null where there are none. */
export function spreadOf(values: readonly number[]): Spread | null {
  const n = values.length;
  if (n === 0) return null;
  const mean = values.reduce((sum, value) => sum + value, 0) / n;
  const squares = values.reduce((sum, value) => sum + (value - mean) ** 2, 0);
  return { mean, spread: n > 1 ? Math.sqrt(squares / (n - 1)) : 0, n };
}

/**
 * Student's t test of paired differences against 0, two-sided.
 *
 * @param differences - One per pair: the same seed with and without the change.
 */
export function pairedTTest(differences: readonly number[]): PairedTest | null {
  const summary = spreadOf(differences);
  if (summary === null) return null;
  const { mean, spread, n } = summary;
  const df = n - 1;
  if (df < 1) return { mean, df, t: null, p: null };
  if (spread <= 1e-12 * Math.abs(mean)) return { mean, df, t: null, p: mean === 0 ? 1 : 0 };
  const t = mean / (spread / Math.sqrt(n));
  return { mean, df, t, p: studentTwoSided(t, df) };
}

/** P(|T| ≥ |t|) of Student's distribution: I_x(df/2, 1/2) at x = df / (df + t²). */
export function studentTwoSided(t: number, df: number): number {
  return incompleteBeta(df / (df + t * t), df / 2, 0.5);
}

/**
 * Regularised incomplete beta function I_x(a, b), by Lentz's continued fraction.
 *
 * Source: NIST Digital Library of Mathematical Functions, 8.17.22.
 *
 * @param x - In [0, 1].
 */
export function incompleteBeta(x: number, a: number, b: number): number {
  if (x <= 0) return 0;
  if (x >= 1) return 1;
  // The fraction converges fast on this side of the mean only.
  if (x > (a + 1) / (a + b + 2)) return 1 - incompleteBeta(1 - x, b, a);
  const front = Math.exp(logGamma(a + b) - logGamma(a) - logGamma(b) + a * Math.log(x) + b * Math.log1p(-x));
  return (front * betaFraction(x, a, b)) / a;
}

function betaFraction(x: number, a: number, b: number): number {
  const tiny = 1e-300;
  const guard = (value: number): number => (Math.abs(value) < tiny ? tiny : value);
  let c = 1;
  let d = 1 / guard(1 - ((a + b) * x) / (a + 1));
  let fraction = d;
  for (let m = 1; m <= 500; m++) {
    const even = (m * (b - m) * x) / ((a + 2 * m - 1) * (a + 2 * m));
    d = 1 / guard(1 + even * d);
    c = guard(1 + even / c);
    fraction *= d * c;
    const odd = (-(a + m) * (a + b + m) * x) / ((a + 2 * m) * (a + 2 * m + 1));
    d = 1 / guard(1 + odd * d);
    c = guard(1 + odd / c);
    fraction *= d * c;
    if (Math.abs(d * c - 1) < 1e-15) break;
  }
  return fraction;
}

/** Lanczos with g = 7 and nine terms; 15 digits for arguments of at least 0.5. */
const LANCZOS = [
  0.99999999999980993, 676.5203681218851, -1259.1392167224028, 771.32342877765313, -176.61502916214059,
  12.507343278686905, -0.13857109526572012, 9.9843695780195716e-6, 1.5056327351493116e-7,
];

function logGamma(z: number): number {
  const base = z - 1;
  const [first = 0, ...terms] = LANCZOS;
  const sum = terms.reduce((total, term, i) => total + term / (base + i + 1), first);
  const t = base + 7.5;
  return 0.5 * Math.log(2 * Math.PI) + (base + 0.5) * Math.log(t) - t + Math.log(sum);
}
