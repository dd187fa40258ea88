/** erf in double precision: a series of positive terms below 3, a continued fraction of 1 − erf above. */
export function erf(x: number): number {
  const size = Math.abs(x);
  if (Number.isNaN(x) || size > 6) return Number.isNaN(x) ? Number.NaN : Math.sign(x);
  return Math.sign(x) * (size < 3 ? series(size) : 1 - fraction(size));
}

/** `2/√π e^(−x²) Σ 2ⁿ x^(2n+1) / (2n+1)!!`. */
function series(x: number): number {
  let term = x;
  let sum = x;
  for (let n = 1; term > sum * 1e-17; n++) {
    term *= (2 * x * x) / (2 * n + 1);
    sum += term;
  }
  return (2 / Math.sqrt(Math.PI)) * Math.exp(-x * x) * sum;
}

/** `e^(−x²)/√π / (x + (1/2)/(x + (2/2)/(x + (3/2)/(x + …))))`. */
function fraction(x: number): number {
  let tail = x;
  for (let n = 60; n >= 1; n--) tail = x + n / 2 / tail;
  return Math.exp(-x * x) / Math.sqrt(Math.PI) / tail;
}
