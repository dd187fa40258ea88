// Rows of tables by number, and back.
//
// A block has a row and up to 512 of its columns (blockIdx.y), a thread four of them, or one where the width is odd.
// Bytes: 8 rows width, and 4 height width for the zeros of a scatter; rows in bfloat16 have half, sums of them do not. FLOPs: none; rows width for the scatter.
#include "bf16.cuh"

#define THREADS 128

// y[i] = table[ids[i]], or other[-1 - ids[i]] where the number is negative. y [rows, width]; ids [rows].
extern "C" __global__ void __launch_bounds__(THREADS)
    gather_rows(const Stored* __restrict__ table, const Stored* __restrict__ other, const int* __restrict__ ids,
                Stored* __restrict__ y, int width) {
  const int id = ids[blockIdx.x];
  const Stored* __restrict__ from =
      (id >= 0 ? table : other) + static_cast<long long>(id >= 0 ? id : -1 - id) * width;
  Stored* to = y + static_cast<long long>(blockIdx.x) * width;
  const int d = (blockIdx.y * THREADS + threadIdx.x) * 4;
  if (width % 4 == 0) {
    if (d < width) store<4>(to + d, load<4>(from + d));
  } else {
    for (int i = d; i < min(d + 4, width); i++) to[i] = from[i];
  }
}

template <int N>
__device__ __forceinline__ Pack<N> sum_of_rows(const Stored* __restrict__ dy, const int* __restrict__ sources,
                                               int first, int end, int width) {
  Pack<N> sum = {};
  for (int at = first; at < end; at++) {
    const Pack<N> term = load<N>(dy + static_cast<long long>(sources[at]) * width);
#pragma unroll
    for (int i = 0; i < N; i++) sum.v[i] += term.v[i];
  }
  return sum;
}

// y[targets[i]] = sum of dy[sources[starts[i] .. starts[i + 1]]], in that order. y [height, width]; dy [rows, width].
extern "C" __global__ void __launch_bounds__(THREADS)
    scatter_rows(const Stored* __restrict__ dy, const int* __restrict__ targets, const int* __restrict__ starts,
                 const int* __restrict__ sources, float* __restrict__ y, int width) {
  const int first = starts[blockIdx.x];
  const int end = starts[blockIdx.x + 1];
  float* to = y + static_cast<long long>(targets[blockIdx.x]) * width;
  const int d = (blockIdx.y * THREADS + threadIdx.x) * 4;
  if (width % 4 == 0) {
    if (d < width) store<4>(to + d, sum_of_rows<4>(dy + d, sources, first, end, width));
  } else {
    for (int i = d; i < min(d + 4, width); i++) {
      to[i] = sum_of_rows<1>(dy + i, sources, first, end, width).v[0];
    }
  }
}
