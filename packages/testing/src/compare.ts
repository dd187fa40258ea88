import type { Tolerance } from "@basic-mllm/core";

/** Where two arrays differ the most, against what is allowed. */
export interface Difference {
  readonly index: number;
  readonly actual: number;
  readonly expected: number;
  /** Infinite where one of the two is not finite. */
  readonly difference: number;
  readonly limit: number;
}

/**
 * The worst difference above `absolute + relative · max|expected|`, or undefined.
 *
 * NaN equals NaN and an infinity equals itself.
 */
export function worstDifference(
  actual: ArrayLike<number>,
  expected: ArrayLike<number>,
  tolerance: Tolerance,
): Difference | undefined {
  const finite = Array.from(expected).filter(Number.isFinite).map(Math.abs);
  const largest = finite.reduce((most, value) => Math.max(most, value), 0);
  const limit = tolerance.absolute + tolerance.relative * largest;
  let worst: Difference | undefined;
  for (let index = 0; index < expected.length; index++) {
    const pair = { actual: actual[index] ?? Number.NaN, expected: expected[index] ?? Number.NaN };
    const difference = distance(pair.actual, pair.expected);
    if (difference > Math.max(limit, worst?.difference ?? 0)) worst = { index, ...pair, difference, limit };
  }
  return worst;
}

function distance(a: number, b: number): number {
  if (Object.is(a, b) || a === b) return 0;
  const difference = Math.abs(a - b);
  return Number.isNaN(difference) ? Number.POSITIVE_INFINITY : difference;
}

/** One line for a report, or undefined when the arrays agree. */
export function describeDifference(label: string, difference: Difference | undefined): string | undefined {
  if (difference === undefined) return undefined;
  const { index, actual, expected, difference: size, limit } = difference;
  return `${label}[${index}] is ${actual}, expected ${expected}: difference ${size.toExponential(2)} is over ${limit.toExponential(2)}`;
}
