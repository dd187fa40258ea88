// The new rows of BasicCachedAttention into the buffers of keys and values: keys[targets[row]] = k[row], the same for values.
//
// k, v [rows, width]; keys, values [S N, width]. Bytes moved: 16 rows width.

#include "elementwise.cuh"

extern "C" __global__ void __launch_bounds__(THREADS)
    write_rows(const float* __restrict__ k, const float* __restrict__ v, const int* __restrict__ targets,
               float* __restrict__ keys, float* __restrict__ values, long long count, int width) {
  for_each_element(count, [&](long long i) {
    const long long place = (long long)targets[i / width] * width + i % width;
    keys[place] = k[i];
    values[place] = v[i];
  });
}
