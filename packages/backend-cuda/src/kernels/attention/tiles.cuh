// What the attention kernels share: who sees whom, and products of tiles of rows.
//
// A block has TILE_ROWS rows ("left") and meets TILE_COLUMNS rows at a time of another matrix ("right"). Its 128 threads stand in 16
// columns x and 8 rows y. Of a tile of scores, thread (x, y) has the rows y + 8 i, i < ROWS, and the columns x + 16 j, j < 4; of a tile of
// sums, the same rows and the columns 2 x, 2 x + 1 of each of CHUNKS chunks of 32 columns of a head.
//
// Query rows are counted once for every query head of a key-value head: pair p is row p / group, head p % group.
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
#define LOWEST -3.0e38f
// Turing has shared memory for two.
#define RESIDENT (__CUDA_ARCH__ < 800 ? 2 : BLOCKS)

// The arguments that say how scores are made.
#define SCORE_PARAMETERS \
  int kv_heads, int group, int width, int causal, int window, float scale, float softcap
#define SCORES \
  Scores { kv_heads, group, width, causal, window, scale, softcap }

struct Scores {
  int kv_heads, group, width, causal, window;
  float scale, softcap;
};

// Rows of one sample, from `first` on, of one key-value head.
struct Tile {
  int first, q_start, queries, k_start, keys, q_from, kv_head;
};

struct Range {
  int from, to;
};

// `weights` are read after the last product of `left`.
struct Shared {
  __align__(16) float right[TILE_COLUMNS * CHUNK_STRIDE];
  union {
    __align__(16) float left[TILE_ROWS * CHUNK_STRIDE];
    __align__(16) float weights[TILE_ROWS * WEIGHT_STRIDE];
  };
};

// Heads of rows of a matrix: row r is `width` floats at `at(r)`.
template <typename T>
struct Rows {
  T* x;
  int count, group, width;
  long long stride;

  __device__ __forceinline__ T* at(int row) const {
    if (group == 1) return x + row * stride;
    const int t = row / group;
    return x + t * stride + (long long)(row - t * group) * width;
  }
};

__device__ __forceinline__ Tile tile_of(const int* __restrict__ tiles, int kv_heads) {
  const int* entry = tiles + 6ll * (blockIdx.x / kv_heads);
  return {entry[0], entry[1], entry[2], entry[3], entry[4], entry[5], (int)(blockIdx.x % kv_heads)};
}

template <typename T>
__device__ __forceinline__ Rows<T> pairs_of(T* x, const Tile& tile, const Scores& scores) {
  const long long heads = (long long)scores.kv_heads * scores.group;
  T* own = x + (tile.q_start * heads + tile.kv_head * scores.group) * scores.width;
  return {own, tile.queries * scores.group, scores.group, scores.width, heads * scores.width};
}

template <typename T>
__device__ __forceinline__ Rows<T> keys_of(T* x, const Tile& tile, const Scores& scores) {
  T* own = x + ((long long)tile.k_start * scores.kv_heads + tile.kv_head) * scores.width;
  return {own, tile.keys, 1, scores.width, (long long)scores.kv_heads * scores.width};
}

// Where a pair stands among all heads of all query rows.
__device__ __forceinline__ long long place_of(const Tile& tile, const Scores& scores, int pair) {
  const int t = scores.group == 1 ? pair : pair / scores.group;
  const long long row = tile.q_start + t;
  return (row * scores.kv_heads + tile.kv_head) * scores.group + pair - t * scores.group;
}

// Keys that a pair sees: none where it is beyond the last one.
__device__ __forceinline__ Range visible_keys(const Tile& tile, const Scores& scores, int pair) {
  if (pair >= tile.queries * scores.group) return {0, 0};
  if (!scores.causal) return {0, tile.keys};
  const int position = tile.keys - tile.queries + (scores.group == 1 ? pair : pair / scores.group);
  return {scores.window == 0 ? 0 : position - scores.window + 1, min(tile.keys, position + 1)};
}

__device__ __forceinline__ bool within(Range range, int key) { return key >= range.from && key < range.to; }

// Keys that some pair of the tile sees.
__device__ __forceinline__ Range keys_seen(const Tile& tile, const Scores& scores) {
  if (!scores.causal) return {0, tile.keys};
  const int ahead = tile.keys - tile.queries;
  const int last = min((tile.first + TILE_ROWS - 1) / scores.group, tile.queries - 1);
  const int from = scores.window == 0 ? 0 : ahead + tile.first / scores.group - scores.window + 1;
  return {max(0, from), min(tile.keys, ahead + last + 1)};
}

// Pairs that see some key of the tile.
__device__ __forceinline__ Range pairs_seeing(const Tile& tile, const Scores& scores) {
  if (!scores.causal) return {tile.q_from * scores.group, tile.queries * scores.group};
  const int ahead = tile.keys - tile.queries;
  const int from = max(tile.q_from, tile.first - ahead);
  const int to = scores.window == 0 ? tile.queries : tile.first + TILE_ROWS - 1 - ahead + scores.window;
  return {from * scores.group, min(tile.queries, to) * scores.group};
}

__device__ __forceinline__ float score_of(const Scores& scores, float product) {
  const float score = product * scores.scale;
  return scores.softcap == 0.0f ? score : scores.softcap * tanhf(score / scores.softcap);
}

// Derivative of the cap where it gives `score`.
__device__ __forceinline__ float slope_of(const Scores& scores, float score) {
  if (scores.softcap == 0.0f) return 1.0f;
  const float t = score / scores.softcap;
  return 1.0f - t * t;
}

// Probability of a key, and the gradient of its product with the query, out of a place's log-sum-exp and sum of dy y.
__device__ __forceinline__ float2 gradient_of(const Scores& scores, float2 statistics, float product, float dp) {
  const float score = score_of(scores, product);
  const float p = expf(score - statistics.x);
  return make_float2(p, p * (dp - statistics.y) * slope_of(scores, score) * scores.scale);
}

// Four columns of a row from `column` on, 0 beyond the last; rows are not aligned.
__device__ __forceinline__ float4 four_of(const float* row, int column, int width) {
  float4 four = make_float4(0.0f, 0.0f, 0.0f, 0.0f);
  if (column < width) four.x = row[column];
  if (column + 1 < width) four.y = row[column + 1];
  if (column + 2 < width) four.z = row[column + 2];
  if (column + 3 < width) four.w = row[column + 3];
  return four;
}

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
