// Products of tiles of rows in float32, for the attention kernels without tensor cores.
//
// A block has TILE_ROWS rows ("left") and meets TILE_COLUMNS rows at a time of another matrix ("right"). Its 128 threads stand in 16
// columns x and 8 rows y. Of a tile of scores, thread (x, y) has the rows y + 8 i, i < ROWS, and the columns x + 16 j, j < 4; of a tile of
// sums, the same rows and the columns 2 x, 2 x + 1 of each of CHUNKS chunks of 32 columns of a head.
//
// Compile-time: ROWS 1, 4 or 8; CHUNKS up to 8, wider heads take several blocks (grid z); BLOCKS that a multiprocessor has registers for.

#pragma once

#define THREADS 128
#define TILE_ROWS (8 * ROWS)
#define TILE_COLUMNS 64
#define CHUNK 32
// Rows of 36 and 68 floats start at other banks and stay aligned to 16 bytes.
#define CHUNK_STRIDE 36
#define WEIGHT_STRIDE 68
// Turing has shared memory for two.
#define RESIDENT (__CUDA_ARCH__ < 800 ? 2 : BLOCKS)

#include "scores.cuh"

// `weights` are read after the last product of `left`.
struct Shared {
  __align__(16) float right[TILE_COLUMNS * CHUNK_STRIDE];
  union {
    __align__(16) float left[TILE_ROWS * CHUNK_STRIDE];
    __align__(16) float weights[TILE_ROWS * WEIGHT_STRIDE];
  };
};

// 32 columns of rows from `first` on into shared memory, 0 beyond the last.
template <int COUNT>
__device__ __forceinline__ void load(float* shared, const Rows<const float>& rows, int first, int chunk) {
  const int place = threadIdx.x % 8 * 4, column = chunk * CHUNK + place, width = rows.width;
  if (width % 4 != 0) {
#pragma unroll 1
    for (int row = threadIdx.x / 8; row < COUNT; row += THREADS / 8) {
      float4 four = make_float4(0.0f, 0.0f, 0.0f, 0.0f);
      if (first + row < rows.count) four = four_of(rows.at(first + row), column, width);
      *(float4*)(shared + row * CHUNK_STRIDE + place) = four;
    }
    return;
  }
#pragma unroll
  for (int i = 0; i < COUNT; i += THREADS / 8) {
    const int row = i + threadIdx.x / 8;
    if (COUNT % (THREADS / 8) != 0 && row >= COUNT) break;
    float4 four = make_float4(0.0f, 0.0f, 0.0f, 0.0f);
    if (first + row < rows.count && column < width) four = *(const float4*)(rows.at(first + row) + column);
    *(float4*)(shared + row * CHUNK_STRIDE + place) = four;
  }
}

// `sums` += the products of the tile's rows with TILE_COLUMNS rows from `column` on. Ends with a barrier.
__device__ __forceinline__ void multiply(float (&sums)[ROWS][4], Shared& shared, const Rows<const float>& left,
                                         int row, const Rows<const float>& right, int column) {
  const int x = threadIdx.x % 16, y = threadIdx.x / 16;
  for (int chunk = 0; chunk * CHUNK < left.width; chunk++) {
    load<TILE_ROWS>(shared.left, left, row, chunk);
    load<TILE_COLUMNS>(shared.right, right, column, chunk);
    __syncthreads();
#pragma unroll 1
    for (int f = 0; f < CHUNK; f += 4) {
      float4 b[4];
#pragma unroll
      for (int j = 0; j < 4; j++) b[j] = *(const float4*)(shared.right + (x + 16 * j) * CHUNK_STRIDE + f);
#pragma unroll
      for (int i = 0; i < ROWS; i++) {
        const float4 a = *(const float4*)(shared.left + (y + 8 * i) * CHUNK_STRIDE + f);
#pragma unroll
        for (int j = 0; j < 4; j++) {
          sums[i][j] = fmaf(a.x, b[j].x, sums[i][j]);
          sums[i][j] = fmaf(a.y, b[j].y, sums[i][j]);
          sums[i][j] = fmaf(a.z, b[j].z, sums[i][j]);
          sums[i][j] = fmaf(a.w, b[j].w, sums[i][j]);
        }
      }
    }
    __syncthreads();
  }
}

// `sums` += `shared.weights` times rows from `first` on, of which `count` matter. Ends with a barrier; the first one is for the weights.
__device__ __forceinline__ void add_weighted(float2 (&sums)[ROWS][CHUNKS], Shared& shared,
                                             const Rows<const float>& rows, int first, int count) {
  const int x = threadIdx.x % 16, y = threadIdx.x / 16;
#pragma unroll
  for (int chunk = 0; chunk < CHUNKS; chunk++) {
    load<TILE_COLUMNS>(shared.right, rows, first, blockIdx.z * CHUNKS + chunk);
    __syncthreads();
#pragma unroll 1
    for (int j = 0; j < count; j += 4) {
      float2 b[4];
#pragma unroll
      for (int n = 0; n < 4; n++) b[n] = *(const float2*)(shared.right + (j + n) * CHUNK_STRIDE + 2 * x);
#pragma unroll
      for (int i = 0; i < ROWS; i++) {
        const float4 a = *(const float4*)(shared.weights + (y + 8 * i) * WEIGHT_STRIDE + j);
        float2& sum = sums[i][chunk];
        sum.x = fmaf(a.w, b[3].x, fmaf(a.z, b[2].x, fmaf(a.y, b[1].x, fmaf(a.x, b[0].x, sum.x))));
        sum.y = fmaf(a.w, b[3].y, fmaf(a.z, b[2].y, fmaf(a.y, b[1].y, fmaf(a.x, b[0].y, sum.y))));
      }
    }
    __syncthreads();
  }
}

// Stores a thread's sums of one row, times `factor`.
__device__ __forceinline__ void store(float* row, const float2 (&sums)[CHUNKS], int width, float factor) {
#pragma unroll
  for (int chunk = 0; chunk < CHUNKS; chunk++) {
    const int column = (blockIdx.z * CHUNKS + chunk) * CHUNK + threadIdx.x % 16 * 2;
    if (width % 2 == 0) {
      if (column < width) *(float2*)(row + column) = make_float2(sums[chunk].x * factor, sums[chunk].y * factor);
    } else {
      if (column < width) row[column] = sums[chunk].x * factor;
      if (column + 1 < width) row[column + 1] = sums[chunk].y * factor;
    }
  }
}

// Sum over the 16 threads of a row, the same in all of them.
__device__ __forceinline__ float row_sum(float value) {
  for (int step = 8; step > 0; step /= 2) value += __shfl_xor_sync(0xffffffffu, value, step);
  return value;
}

__device__ __forceinline__ float row_max(float value) {
  for (int step = 8; step > 0; step /= 2) value = fmaxf(value, __shfl_xor_sync(0xffffffffu, value, step));
  return value;
}
