// Steps between the products of rows with a vocabulary.
//
// x [rows, width]. Bytes moved: 8 rows width each. FLOPs: rows width, or none.

#include "elementwise.cuh"

// x[row] *= factors[row].
extern "C" __global__ void __launch_bounds__(THREADS)
    scale_rows(const float* __restrict__ factors, float* __restrict__ x, long long count, int width) {
  for_each_element(count, [&](long long i) { x[i] *= factors[i / width]; });
}

// y[rows[row]] = x[row].
extern "C" __global__ void __launch_bounds__(THREADS)
    place_rows(const float* __restrict__ x, const int* __restrict__ rows, float* __restrict__ y, long long count,
               int width) {
  for_each_element(count, [&](long long i) { y[(long long)rows[i / width] * width + i % width] = x[i]; });
}
