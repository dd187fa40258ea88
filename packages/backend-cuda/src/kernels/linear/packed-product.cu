// Products with a packed weight: x W^T + b, and dy W.
//
// left [rows, depth]; result [rows, columns]; W packed, stored [columns, depth], or [depth, columns] with TRANSPOSED 0.
// A block of 16 x 16 threads has a tile of 16 THREAD_ROWS x 128 results. Strips of both factors, 32 steps of the depth long,
// go through shared memory, where W is decoded on the way; a thread keeps THREAD_ROWS x 8 sums in registers.
// Bytes: those of W times the tiles of rows, 4 rows depth times the tiles of columns, 4 rows columns.
// FLOPs: 2 rows columns depth, in float32.
#include "storage.cuh"

#define THREADS 256
#define TILE_ROWS (16 * THREAD_ROWS)
#define TILE_COLUMNS 128
#define TILE_DEPTH 32
// Strips are padded by 16 bytes: rows of shared memory start in different banks.
#define PAD 4
// Blocks of an SM at a time: this bounds the registers of a thread to 128 or 80.
#define RESIDENT (THREAD_ROWS == 8 ? 2 : 3)

// Columns of a thread: four from 4 x, four from 64 + 4 x. A half of them at a time leaves no bank idle.
__device__ __forceinline__ int column_of(int x, int i) { return i / 4 * (TILE_COLUMNS / 2) + x * 4 + i % 4; }

// Rows of a thread: four from 4 y, four from 64 + 4 y; with two rows a thread, those from 2 y.
__device__ __forceinline__ int row_of(int y, int i) {
  constexpr int together = THREAD_ROWS < 4 ? THREAD_ROWS : 4;
  return i / together * (16 * together) + y * together + i % together;
}

typedef float LeftStrip[TILE_DEPTH][TILE_ROWS + PAD];
typedef float RightStrip[TILE_DEPTH][TILE_COLUMNS + PAD];

// Eight threads next to each other read 32 neighbours of a row.
__device__ __forceinline__ void load_left(LeftStrip& strip, const float* __restrict__ left, int first_row, int rows,
                                          int first, int depth) {
#pragma unroll
  for (int piece = threadIdx.x; piece < TILE_ROWS * TILE_DEPTH / 4; piece += THREADS) {
    const int m = piece / (TILE_DEPTH / 4);
    const int k = piece % (TILE_DEPTH / 4) * 4;
    const int row = first_row + m;
    const int at = first + k;
    const float* from = left + static_cast<long long>(row) * depth + at;
    Pack<4> values = {};
    if (row < rows && depth % 4 == 0) {
      if (at < depth) values = load<4>(from);
    } else if (row < rows) {
#pragma unroll
      for (int i = 0; i < 4; i++) {
        if (at + i < depth) values.v[i] = from[i];
      }
    }
#pragma unroll
    for (int i = 0; i < 4; i++) strip[k + i][m] = values.v[i];
  }
}

// W is stored along the depth where TRANSPOSED, else along the columns: in both cases a thread decodes neighbours.
__device__ __forceinline__ void load_right(RightStrip& strip, PackedWeight weight, int first_column, int columns,
                                           int first, int depth) {
#if TRANSPOSED
  const int n = threadIdx.x % TILE_COLUMNS;
  const int k = threadIdx.x / TILE_COLUMNS * DECODED;
  Pack<DECODED> values = {};
  if (first_column + n < columns) values = values_of_row<DECODED>(weight, first_column + n, first + k, depth);
#pragma unroll
  for (int i = 0; i < DECODED; i++) strip[k + i][n] = values.v[i];
#else
  const int k = threadIdx.x % TILE_DEPTH;
  const int n = threadIdx.x / TILE_DEPTH * DECODED;
  Pack<DECODED> values = {};
  if (first + k < depth) values = values_of_row<DECODED>(weight, first + k, first_column + n, columns);
#pragma unroll
  for (int i = 0; i < DECODED; i += 4) {
    *reinterpret_cast<float4*>(&strip[k][n + i]) =
        make_float4(values.v[i], values.v[i + 1], values.v[i + 2], values.v[i + 3]);
  }
#endif
}

template <int N>
__device__ __forceinline__ void read_strip(float* to, const float* from) {
  const Pack<N> values = load<N>(from);
#pragma unroll
  for (int i = 0; i < N; i++) to[i] = values.v[i];
}

__device__ __forceinline__ void multiply_strips(float (&sums)[THREAD_ROWS][8], const LeftStrip& left,
                                                const RightStrip& right, int x, int y) {
#pragma unroll 4
  for (int k = 0; k < TILE_DEPTH; k++) {
    float a[THREAD_ROWS];
    float b[8];
#if THREAD_ROWS == 2
    const float2 two = *reinterpret_cast<const float2*>(&left[k][row_of(y, 0)]);
    a[0] = two.x;
    a[1] = two.y;
#else
    read_strip<4>(a, &left[k][row_of(y, 0)]);
    read_strip<4>(a + 4, &left[k][row_of(y, 4)]);
#endif
    read_strip<4>(b, &right[k][column_of(x, 0)]);
    read_strip<4>(b + 4, &right[k][column_of(x, 4)]);
#pragma unroll
    for (int i = 0; i < THREAD_ROWS; i++) {
#pragma unroll
      for (int j = 0; j < 8; j++) sums[i][j] += a[i] * b[j];
    }
  }
}

extern "C" __global__ void __launch_bounds__(THREADS, RESIDENT)
    packed_product(const float* __restrict__ left, PackedWeight weight, const float* __restrict__ bias, float* result,
                   int rows, int columns, int depth, int accumulate) {
  __shared__ __align__(16) LeftStrip left_strip;
  __shared__ __align__(16) RightStrip right_strip;
  const int x = threadIdx.x % 16;
  const int y = threadIdx.x / 16;
  const int first_row = blockIdx.y * TILE_ROWS;
  const int first_column = blockIdx.x * TILE_COLUMNS;
  float sums[THREAD_ROWS][8] = {};
  for (int first = 0; first < depth; first += TILE_DEPTH) {
    load_left(left_strip, left, first_row, rows, first, depth);
    load_right(right_strip, weight, first_column, columns, first, depth);
    __syncthreads();
    multiply_strips(sums, left_strip, right_strip, x, y);
    __syncthreads();
  }
#pragma unroll
  for (int i = 0; i < THREAD_ROWS; i++) {
    const int row = first_row + row_of(y, i);
    if (row >= rows) continue;
#pragma unroll
    for (int j = 0; j < 8; j++) {
      const int column = first_column + column_of(x, j);
      if (column >= columns) continue;
      float* to = result + static_cast<long long>(row) * columns + column;
      const float sum = bias != nullptr ? sums[i][j] + bias[column] : sums[i][j];
      *to = accumulate ? *to + sum : sum;
    }
  }
}
