/** Largest number of implicit QL sweeps for one eigenvalue. */
const MAX_SWEEPS = 64;

/**
 * Eigenvalues of a symmetric matrix in double precision, in no order.
 *
 * Householder tridiagonalisation, then implicit QL: about 4/3 n³ operations. Golub and Van Loan, "Matrix
 * Computations", 8.3.
 *
 * @param matrix - `[n, n]`, row-major, symmetric; overwritten.
 */
export function symmetricEigenvalues(matrix: Float64Array, n: number): Float64Array {
  const diagonal = new Float64Array(n);
  const beside = new Float64Array(n);
  tridiagonalise(matrix, n, { diagonal, beside });
  for (let index = 0; index < n; index++) findEigenvalue(index, n, { diagonal, beside });
  return diagonal;
}

interface Tridiagonal {
  readonly diagonal: Float64Array;
  /** `beside[i]` joins rows i and i + 1. */
  readonly beside: Float64Array;
}

/** Reflects column k below the diagonal onto its first entry, for k = 0, 1, ... */
function tridiagonalise(a: Float64Array, n: number, { diagonal, beside }: Tridiagonal): void {
  const reflector = new Float64Array(n);
  const product = new Float64Array(n);
  for (let k = 0; k < n; k++) {
    diagonal[k] = a[k * n + k] as number;
    if (k === n - 1) break;
    const first = a[(k + 1) * n + k] as number;
    let squares = 0;
    for (let i = k + 1; i < n; i++) squares += (a[i * n + k] as number) ** 2;
    const length = first > 0 ? -Math.sqrt(squares) : Math.sqrt(squares);
    beside[k] = length;
    const scale = squares - first * length;
    if (scale === 0) continue;
    for (let i = k + 1; i < n; i++) reflector[i] = a[i * n + k] as number;
    reflector[k + 1] = first - length;
    reflect(a, n, { from: k + 1, reflector, product, scale });
  }
}

/** `a ← H a H` on rows and columns from `from`, with H = I − u uᵀ / scale. */
function reflect(
  a: Float64Array,
  n: number,
  step: { from: number; reflector: Float64Array; product: Float64Array; scale: number },
): void {
  const { from, reflector: u, product: p, scale } = step;
  let inner = 0;
  for (let i = from; i < n; i++) {
    let sum = 0;
    for (let j = from; j < n; j++) sum += (a[i * n + j] as number) * (u[j] as number);
    p[i] = sum / scale;
    inner += (u[i] as number) * (p[i] as number);
  }
  const half = inner / (2 * scale);
  for (let i = from; i < n; i++) p[i] = (p[i] as number) - half * (u[i] as number);
  for (let i = from; i < n; i++) {
    const [ui, pi] = [u[i] as number, p[i] as number];
    for (let j = from; j < n; j++) {
      a[i * n + j] = (a[i * n + j] as number) - ui * (p[j] as number) - pi * (u[j] as number);
    }
  }
}

function findEigenvalue(index: number, n: number, { diagonal: d, beside: e }: Tridiagonal): void {
  for (let sweep = 0; sweep < MAX_SWEEPS; sweep++) {
    let end = index;
    while (end < n - 1 && !isNegligible(end, d, e)) end++;
    if (end === index) return;
    qlSweep(index, end, { diagonal: d, beside: e });
  }
}

function isNegligible(i: number, d: Float64Array, e: Float64Array): boolean {
  const size = Math.abs(d[i] as number) + Math.abs(d[i + 1] as number);
  return !(Math.abs(e[i] as number) > Number.EPSILON * size);
}

/** One implicit QL step with Wilkinson's shift on rows `start .. end`. */
function qlSweep(start: number, end: number, { diagonal: d, beside: e }: Tridiagonal): void {
  const ratio = ((d[start + 1] as number) - (d[start] as number)) / (2 * (e[start] as number));
  const root = Math.hypot(ratio, 1);
  const shift = (d[start] as number) - (e[start] as number) / (ratio + (ratio >= 0 ? root : -root));
  let g = (d[end] as number) - shift;
  let sine = 1;
  let cosine = 1;
  let carried = 0;
  for (let i = end - 1; i >= start; i--) {
    const f = sine * (e[i] as number);
    const b = cosine * (e[i] as number);
    const r = Math.hypot(f, g);
    e[i + 1] = r;
    if (r === 0) {
      d[i + 1] = (d[i + 1] as number) - carried;
      e[end] = 0;
      return;
    }
    sine = f / r;
    cosine = g / r;
    g = (d[i + 1] as number) - carried;
    const t = ((d[i] as number) - g) * sine + 2 * cosine * b;
    carried = sine * t;
    d[i + 1] = g + carried;
    g = cosine * t - b;
  }
  d[start] = (d[start] as number) - carried;
  e[start] = g;
  e[end] = 0;
}
