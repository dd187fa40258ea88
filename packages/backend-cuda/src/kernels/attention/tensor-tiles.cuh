// Products of tiles of rows on tensor cores, for the attention kernels of sm_80 and later.
//
// A block has 64 rows ("left"), 16 for each of its four warps, and meets COLUMNS rows at a time of another matrix ("right"). Lane l has the
// rows l / 4 and l / 4 + 8 of its warp; of a tile of scores, the columns 8 j + 2 (l % 4) and the next, j < COLUMNS / 8; of a tile of sums,
// those of each of CHUNKS chunks of 32 columns of a head. Scores never leave the registers: they are the operand of the next product.
//
// Chunks come into shared memory in the order of their use, each while the one before is multiplied: see `Pipe`.
//
// Compile-time: OPERAND; COLUMNS 32 or 64; CHUNKS up to 4, wider heads take several blocks (grid z); BLOCKS that a multiprocessor has
// registers for.

#pragma once

#define THREADS 128
#define TILE_ROWS 64
#define CHUNK 32
#define ROWS_OF_LANE 2

#include "fragments.cuh"
#include "scores.cuh"

// What is read from global memory.
typedef float Source;

// Rows of 144 bytes (tf32) or 80 (bf16). Without bank conflicts: 8 rows of 16 bytes, which `ldmatrix` reads at once, begin at banks 4 r or
// 20 r (mod 32); of tf32, the rows 2 t (t < 4) of `load_across` at banks 8 t, with 8 neighbours each; 8 threads write a row.
#define STRIDE (CHUNK + 16 / (int)sizeof(Element))

struct Chunks {
  __align__(16) Element left[TILE_ROWS * STRIDE];
  __align__(16) Element right[COLUMNS * STRIDE];
};

typedef Chunks Shared[2];

// 32 columns of rows from `first` on into shared memory, 0 beyond the last. Where rows are aligned and nothing is converted, they are there
// after `wait_for_copies`.
template <int COUNT>
__device__ __forceinline__ void load(Element* shared, const Rows<const Source>& rows, int first, int chunk) {
  const int place = threadIdx.x % 8 * 4, column = chunk * CHUNK + place, width = rows.width;
  if (width % 4 != 0) {
#pragma unroll 1
    for (int row = threadIdx.x / 8; row < COUNT; row += THREADS / 8) {
      float4 four = make_float4(0.0f, 0.0f, 0.0f, 0.0f);
      if (first + row < rows.count) four = four_of(rows.at(first + row), column, width);
      put_four(shared + row * STRIDE + place, four);
    }
    return;
  }
#pragma unroll
  for (int i = 0; i < COUNT; i += THREADS / 8) {
    const int row = i + threadIdx.x / 8;
    const bool inside = first + row < rows.count && column < width;
    const Source* from = inside ? rows.at(first + row) + column : rows.x;
    Element* place_of_row = shared + row * STRIDE + place;
#if OPERAND == TF32
    copy_later(place_of_row, from, inside);
#else
    put_four(place_of_row, inside ? *(const float4*)from : make_float4(0.0f, 0.0f, 0.0f, 0.0f));
#endif
  }
}

// Two places for chunks: one is multiplied while the other is filled.
struct Pipe {
  Chunks* shared;
  int filled;

  __device__ __forceinline__ explicit Pipe(Shared& chunks) : shared(chunks), filled(0) {}

  // What was asked for last is there, and nobody reads what was there before. The next chunks may be asked for.
  __device__ __forceinline__ const Chunks& turn() {
    wait_for_copies();
    __syncthreads();
    const Chunks& current = shared[filled];
    filled ^= 1;
    return current;
  }

  __device__ __forceinline__ void ask(const Rows<const Source>& right, int column, int chunk) {
    load<COLUMNS>(shared[filled].right, right, column, chunk);
  }

  __device__ __forceinline__ void ask(const Rows<const Source>& left, int row, const Rows<const Source>& right,
                                      int column, int chunk) {
    load<TILE_ROWS>(shared[filled].left, left, row, chunk);
    ask(right, column, chunk);
  }
};

// `products` += the products of the tile's rows with COLUMNS rows from `column` on; their first chunks have been asked for. `next` asks for
// what is used afterwards.
template <typename Next>
__device__ __forceinline__ void multiply(float (&products)[COLUMNS / 8][4], Pipe& pipe, const Rows<const Source>& left,
                                         int row, const Rows<const Source>& right, int column, Next next) {
  const int last = (left.width - 1) / CHUNK;
#pragma unroll 1
  for (int chunk = 0; chunk <= last; chunk++) {
    const Chunks& chunks = pipe.turn();
    if (chunk < last) {
      pipe.ask(left, row, right, column, chunk + 1);
    } else {
      next();
    }
#pragma unroll
    for (int d = 0; d < CHUNK; d += DEPTH) {
      unsigned a[4], b[4];
      load_rows(a, chunks.left + threadIdx.x / 32 * 16 * STRIDE + d, STRIDE);
#pragma unroll
      for (int j = 0; j < COLUMNS / 8; j += 2) {
        load_columns(b, chunks.right + j * 8 * STRIDE + d, STRIDE);
        multiply_add(products[j], a, b[0], b[1]);
        multiply_add(products[j + 1], a, b[2], b[3]);
      }
    }
  }
}

// The first chunk of columns that this block sums up.
#define FIRST_CHUNK (blockIdx.z * CHUNKS)

// Columns of a thread's sums: 4 fragments a chunk.
#define FRAGMENTS (CHUNKS * CHUNK / 8)

// `sums` += weights times rows from `first` on, whose first chunk has been asked for. `next` asks for what is used afterwards.
template <typename Next>
__device__ __forceinline__ void add_weighted(float (&sums)[FRAGMENTS][4], Pipe& pipe, const Weights& weights,
                                             const Rows<const Source>& rows, int first, Next next) {
#pragma unroll
  for (int chunk = 0; chunk < CHUNKS; chunk++) {
    const Chunks& chunks = pipe.turn();
    if (chunk + 1 < CHUNKS) {
      pipe.ask(rows, first, FIRST_CHUNK + chunk + 1);
    } else {
      next();
    }
#pragma unroll
    for (int i = 0; i < COLUMNS / DEPTH; i++) {
#pragma unroll
      for (int n = 0; n < CHUNK / 8; n += 2) {
        unsigned b[4];
        load_across(b, chunks.right + i * DEPTH * STRIDE + n * 8, STRIDE);
        multiply_add(sums[chunk * 4 + n], weights.a[i], b[0], b[1]);
        multiply_add(sums[chunk * 4 + n + 1], weights.a[i], b[2], b[3]);
      }
    }
  }
}

// Row `i` of a thread, and the first of its two columns of fragment `j`.
__device__ __forceinline__ int row_of(int i) { return threadIdx.x / 32 * 16 + LANE / 4 + 8 * i; }
__device__ __forceinline__ int column_of(int j) { return 8 * j + LANE % 4 * 2; }

// Stores a thread's sums of its row `i`, times `factor`.
__device__ __forceinline__ void store(float* row, const float (&sums)[FRAGMENTS][4], int i, int width, float factor) {
#pragma unroll
  for (int n = 0; n < FRAGMENTS; n++) {
    const int column = FIRST_CHUNK * CHUNK + column_of(n);
    const float2 two = make_float2(sums[n][2 * i] * factor, sums[n][2 * i + 1] * factor);
    if (width % 2 == 0) {
      if (column < width) *(float2*)(row + column) = two;
    } else {
      if (column < width) row[column] = two.x;
      if (column + 1 < width) row[column + 1] = two.y;
    }
  }
}

// Sum over the four threads of a row, the same in all of them.
__device__ __forceinline__ float row_sum(float value) {
  for (int step = 2; step > 0; step /= 2) value += __shfl_xor_sync(0xffffffffu, value, step);
  return value;
}

__device__ __forceinline__ float row_max(float value) {
  for (int step = 2; step > 0; step /= 2) value = fmaxf(value, __shfl_xor_sync(0xffffffffu, value, step));
  return value;
}
