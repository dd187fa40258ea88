// Sums down the columns of a matrix: a block of 32 x 8 threads adds COLUMN_ROWS rows of 32 columns, always in the
// same order. The sums of several blocks are added by another launch.
#pragma once

#include "pack.cuh"

#define COLUMN_ROWS 128
#define COLUMN_LANES 8

// `value(row, column)` gives N values; their sums are those of the threads with threadIdx.y == 0.
template <int N, typename Value>
__device__ __forceinline__ Pack<N> column_sums_of(int rows, int columns, Value value) {
  __shared__ float parts[N][COLUMN_LANES][32];
  const int column = blockIdx.x * 32 + threadIdx.x;
  const int first = blockIdx.y * COLUMN_ROWS;
  const int end = min(first + COLUMN_ROWS, rows);
  Pack<N> sums = {};
  if (column < columns) {
    for (int row = first + threadIdx.y; row < end; row += COLUMN_LANES) {
      const Pack<N> terms = value(row, column);
#pragma unroll
      for (int i = 0; i < N; i++) sums.v[i] += terms.v[i];
    }
  }
#pragma unroll
  for (int i = 0; i < N; i++) parts[i][threadIdx.y][threadIdx.x] = sums.v[i];
  __syncthreads();
  sums = {};
  if (threadIdx.y == 0) {
#pragma unroll
    for (int i = 0; i < N; i++) {
#pragma unroll
      for (int lane = 0; lane < COLUMN_LANES; lane++) sums.v[i] += parts[i][lane][threadIdx.x];
    }
  }
  return sums;
}
