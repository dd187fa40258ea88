/**
 * Tolerances of cases with logits around 1e3: float32 stores those to 1e-4, so probabilities are good to 1e-4 and
 * gradients to that times a weight of about 20.
 */
export const largeLogits = {
  forward: { absolute: 2e-3, relative: 1e-5 },
  backward: { absolute: 1.6e-2, relative: 1e-4 },
} as const;

/**
 * Values of a conformance case that depend on each other, such as a log-sum-exp and its logits.
 *
 * Roughly normal (a sum of four uniform values), rounded to float32, the same on every machine.
 */
export function seededValues(size: number, seed: number, scale = 1): number[] {
  let state = (seed * 2_654_435_761 + 1) >>> 0;
  const uniform = () => {
    state = (Math.imul(state, 1_664_525) + 1_013_904_223) >>> 0;
    return state / 2 ** 32 - 0.5;
  };
  const deviation = Math.sqrt(4 / 12);
  return Array.from({ length: size }, () =>
    Math.fround((scale * (uniform() + uniform() + uniform() + uniform())) / deviation),
  );
}

/** Rows of `x` `[R, D]` times rows of `weight` `[V, D]`, in double precision. */
export function hostLogits(x: readonly number[], weight: readonly number[], width: number): number[][] {
  return rowsOf(x, width).map((row) => rowsOf(weight, width).map((word) => dot(row, word)));
}

/** `log Σ exp(row)`, in double precision. */
export function hostLogSumExp(row: readonly number[]): number {
  const largest = Math.max(...row);
  return largest + Math.log(row.reduce((sum, value) => sum + Math.exp(value - largest), 0));
}

/** Inner product. */
export function dot(a: readonly number[], b: readonly number[]): number {
  return a.reduce((sum, value, i) => sum + value * (b[i] ?? 0), 0);
}

function rowsOf(values: readonly number[], width: number): number[][] {
  const rows = width === 0 ? 0 : values.length / width;
  return Array.from({ length: rows }, (_, row) => values.slice(row * width, (row + 1) * width));
}
