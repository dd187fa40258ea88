/** Sharpness of PyTorch's bicubic kernels. */
const CUBIC_A = -0.75;
const ANTIALIASED_A = -0.5;

/**
 * Weights `[n', n]` that resize a grid of position embeddings: `new = W · old`.
 *
 * Bicubic with a = −0.75, no antialiasing, `align_corners` false, border repeated: PyTorch's
 * `interpolate(mode="bicubic")`, which CLIP, SigLIP and DINOv2 use. With `antialias` (DINOv2 with registers) a is −0.5,
 * the kernel grows with the factor of shrinking, and what lies outside is left out.
 *
 * @param from - Rows and columns of the stored grid; n is their product.
 * @param to - Rows and columns wanted; n' is their product.
 * @returns Row-major weights.
 */
export function bicubicWeights(
  from: readonly [height: number, width: number],
  to: readonly [height: number, width: number],
  { antialias = false }: { readonly antialias?: boolean } = {},
): Float32Array {
  const weightsOf = antialias ? antialiasedWeights : axisWeights;
  const vertical = weightsOf(from[0], to[0]);
  const horizontal = weightsOf(from[1], to[1]);
  const weights = new Float32Array(to[0] * to[1] * from[0] * from[1]);
  let position = 0;
  for (const rowWeights of vertical) {
    for (const columnWeights of horizontal) {
      for (const rowWeight of rowWeights) {
        for (const columnWeight of columnWeights) weights[position++] = rowWeight * columnWeight;
      }
    }
  }
  return weights;
}

/** One list of `from` weights per new position. */
function axisWeights(from: number, to: number): readonly Float64Array[] {
  return Array.from({ length: to }, (_, i) => {
    const weights = new Float64Array(from);
    const center = ((i + 0.5) * from) / to - 0.5;
    const left = Math.floor(center);
    for (let tap = left - 1; tap <= left + 2; tap++) {
      const index = Math.min(from - 1, Math.max(0, tap));
      weights[index] = (weights[index] ?? 0) + cubic(Math.abs(center - tap), CUBIC_A);
    }
    return weights;
  });
}

/** {@link axisWeights} with a kernel as wide as the pixels that become one; each list adds up to 1. */
function antialiasedWeights(from: number, to: number): readonly Float64Array[] {
  const scale = Math.max(1, from / to);
  return Array.from({ length: to }, (_, i) => {
    const center = ((i + 0.5) * from) / to;
    const weights = Float64Array.from({ length: from }, (__, tap) =>
      cubic(Math.abs((tap + 0.5 - center) / scale), ANTIALIASED_A),
    );
    const sum = weights.reduce((total, weight) => total + weight, 0);
    return weights.map((weight) => weight / sum);
  });
}

function cubic(distance: number, a: number): number {
  if (distance <= 1) return ((a + 2) * distance - (a + 3)) * distance * distance + 1;
  if (distance < 2) return a * (((distance - 5) * distance + 8) * distance - 4);
  return 0;
}
