// y [height, inner] = the sum of the rows of updates [rows, inner] that go to each row of it; 0 where none does.
//
// The target of a row is sum over k of indices [rows, depth] times strides [depth]; a target outside of y is left out, or
// stops the kernel where `strict`. No atomics: a thread owns one column of `each` neighbouring rows of y and goes through
// all targets, so that terms are added in the order of the rows. With one row of y a thread the sum is in TOTAL, double or
// long long. Bytes moved: 4 rows inner + 4 height inner + 4 rows depth height / each. FLOPs: rows inner.
#define THREADS 256

__device__ __forceinline__ long long target_of(const int* __restrict__ indices, const int* __restrict__ strides,
                                               int depth, int row) {
  long long target = 0;
  for (int k = 0; k < depth; k++) target += (long long)indices[(long long)row * depth + k] * strides[k];
  return target;
}

extern "C" __global__ void __launch_bounds__(THREADS)
    scatter_add(const VALUE* __restrict__ updates, const int* __restrict__ indices, const int* __restrict__ strides,
                VALUE* __restrict__ y, int rows, int depth, int height, int inner, int each, int strict) {
  const long long i = (long long)blockIdx.x * THREADS + threadIdx.x;
  const long long group = i / inner;
  const int column = (int)(i - group * inner);
  const long long first = group * each;
  if (first >= height) return;
  const long long end = first + each < height ? first + each : height;
  if (each > 1) {
    for (long long row = first; row < end; row++) y[row * inner + column] = 0;
  }
  TOTAL total = 0;
  for (int row = 0; row < rows; row++) {
    const long long target = target_of(indices, strides, depth, row);
    if (strict && (target < 0 || target >= height)) __trap();
    if (target < first || target >= end) continue;
    const VALUE update = updates[(long long)row * inner + column];
    if (each == 1) total += update;
    else y[target * inner + column] += update;
  }
  if (each == 1) y[first * inner + column] = (VALUE)total;
}
