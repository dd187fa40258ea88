// Who sees whom in attention, and what scores become: what all of its kernels share.
//
// A block has TILE_ROWS rows of one sample and one key-value head. Query rows are counted once for every query head of a key-value head:
// pair p is row p / group, head p % group.

#pragma once

#define LOWEST -3.0e38f

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
