// The other outputs of BasicAttentionBackward: dk = dST q, dv = PT dy, in float32; dk and dv add up over the query heads of a group.
//
// Names and shapes as in query-gradient.cu; dk, dv [Rk, G w]. A block has a tile of keys of one key-value head and goes through the query rows
// that see them. Each sum has a fixed order.
//
// FLOPs: 8 H w S, S = pairs of query and key row that see each other. Bytes moved: 4 (4 Rk G w + 4 T H w), T = query rows that tiles of keys go
// through.

#include "tiles.cuh"

extern "C" __global__ void __launch_bounds__(THREADS, RESIDENT)
attention_key_gradient(const int* __restrict__ tiles, const float* __restrict__ q, const float* __restrict__ k,
                       const float* __restrict__ v, const float* __restrict__ dy,
                       const float* __restrict__ statistics, float* __restrict__ dk, float* __restrict__ dv,
                       SCORE_PARAMETERS) {
  __shared__ Shared shared;
  const Scores scores = SCORES;
  const Tile tile = tile_of(tiles, kv_heads);
  const Rows<const float> queries = pairs_of(q, tile, scores), dys = pairs_of(dy, tile, scores);
  const Rows<const float> keys = keys_of(k, tile, scores), values = keys_of(v, tile, scores);
  const int x = threadIdx.x % 16, y = threadIdx.x / 16;

  float2 key_sums[ROWS][CHUNKS] = {}, value_sums[ROWS][CHUNKS] = {};
  const Range seeing = pairs_seeing(tile, scores);
  for (int first = seeing.from; first < seeing.to; first += TILE_COLUMNS) {
    float s[ROWS][4] = {}, dp[ROWS][4] = {};
    multiply(s, shared, keys, tile.first, queries, first);
    multiply(dp, shared, values, tile.first, dys, first);
#pragma unroll
    for (int j = 0; j < 4; j++) {
      const int pair = first + x + 16 * j;
      const Range visible = visible_keys(tile, scores, pair);
      float2 own = make_float2(0.0f, 0.0f);
      if (pair < queries.count) own = ((const float2*)statistics)[place_of(tile, scores, pair)];
#pragma unroll
      for (int i = 0; i < ROWS; i++) {
        float2 both = make_float2(0.0f, 0.0f);
        if (within(visible, tile.first + y + 8 * i)) both = gradient_of(scores, own, s[i][j], dp[i][j]);
        shared.weights[(y + 8 * i) * WEIGHT_STRIDE + x + 16 * j] = both.x;
        s[i][j] = both.y;
      }
    }
    const int count = min(TILE_COLUMNS, seeing.to - first);
    add_weighted(value_sums, shared, dys, first, count);
#pragma unroll
    for (int i = 0; i < ROWS; i++) {
#pragma unroll
      for (int j = 0; j < 4; j++) shared.weights[(y + 8 * i) * WEIGHT_STRIDE + x + 16 * j] = s[i][j];
    }
    add_weighted(key_sums, shared, queries, first, count);
  }

  const Rows<float> key_result = keys_of(dk, tile, scores), value_result = keys_of(dv, tile, scores);
#pragma unroll
  for (int i = 0; i < ROWS; i++) {
    const int key = tile.first + y + 8 * i;
    if (key >= tile.keys) continue;
    store(key_result.at(key), key_sums[i], width, 1.0f);
    store(value_result.at(key), value_sums[i], width, 1.0f);
  }
}
