// y = x W^T + b for few rows, as in decoding: the packed weight is read once, at the speed of the memory.
//
// x [rows, depth]; W packed, [columns, depth]; y [rows, columns]. A warp has two columns, and at most ROWS rows. Its lanes go
// along the depth, eight to a block of 32 values: neighbours read neighbouring bytes of W and of x. Sums are of 32
// partial ones. Bytes: those of W, 4 rows (depth + columns). FLOPs: 2 rows columns depth.
#include "reduce.cuh"
#include "storage.cuh"

#define THREADS 256
#define COLUMNS 2
#define GROUPS 8
// Blocks of an SM at a time: this bounds the registers of a thread to 64, 80 or 128.
#define RESIDENT (ROWS == 1 ? 4 : ROWS == 4 ? 3 : 2)

// The values of a row of x that four values of W meet; 0 beyond its end.
__device__ __forceinline__ Pack<4> matching(const float* __restrict__ x, int first, int group, int depth) {
  if (depth % 4 == 0 && place_in_block(0, 3) == 3) {
    const int at = first + group * 4;
    return at < depth ? load<4>(x + at) : Pack<4>{};
  }
  Pack<4> values = {};
#pragma unroll
  for (int i = 0; i < 4; i++) {
    const int at = first + place_in_block(group, i);
    if (at < depth) values.v[i] = x[at];
  }
  return values;
}

extern "C" __global__ void __launch_bounds__(THREADS, RESIDENT)
    few_rows(const float* __restrict__ x, PackedWeight weight, const float* __restrict__ bias, float* y, int rows,
             int columns, int depth, int accumulate) {
  const int lane = threadIdx.x % 32;
  const int column = (blockIdx.x * (THREADS / 32) + threadIdx.x / 32) * COLUMNS;
  if (column >= columns) return;
  const int group = lane % GROUPS;
  const int blocks = (depth + BLOCK_VALUES - 1) / BLOCK_VALUES;
  float sums[ROWS][COLUMNS] = {};
#pragma unroll(ROWS == 8 ? 1 : 2)
  for (int block = lane / GROUPS; block < blocks; block += 32 / GROUPS) {
    Pack<4> weights[COLUMNS];
#pragma unroll
    for (int c = 0; c < COLUMNS; c++) {
      weights[c] = four_of_block(weight, min(column + c, columns - 1), block, group, depth);
    }
#pragma unroll
    for (int r = 0; r < ROWS; r++) {
      const float* row = x + static_cast<long long>(min(r, rows - 1)) * depth;
      const Pack<4> values = matching(row, block * BLOCK_VALUES, group, depth);
#pragma unroll
      for (int c = 0; c < COLUMNS; c++) {
#pragma unroll
        for (int i = 0; i < 4; i++) sums[r][c] += values.v[i] * weights[c].v[i];
      }
    }
  }
#pragma unroll
  for (int r = 0; r < ROWS; r++) {
#pragma unroll
    for (int c = 0; c < COLUMNS; c++) {
      float sum = warp_sum(sums[r][c]);
      if (lane != 0 || r >= rows || column + c >= columns) continue;
      if (bias != nullptr) sum += bias[column + c];
      float* to = y + static_cast<long long>(r) * columns + column + c;
      *to = accumulate ? *to + sum : sum;
    }
  }
}
