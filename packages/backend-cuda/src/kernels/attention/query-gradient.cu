// The first output of BasicAttentionBackward: dq = dS k, dS = P (dP - delta) slope scale, with P = exp(scores - log_sum_exp), dP = dy vT and
// delta the sum of dy y of a row and head, in float32.
//
// Shapes as in attention.cu; dy, dq [Rq, H w]; statistics [Rq, H, 2]: log_sum_exp and delta. A block has a tile of query rows and goes through
// their keys, whose scores are computed again; key-gradient.cu does the same the other way round, so that no two blocks add to one sum (Dao et
// al., arXiv:2205.14135, use one pass with atomics). Each sum has a fixed order.
//
// FLOPs: 6 H w S, S = pairs of query and key row that see each other. Bytes moved: 4 (3 Rq H w + 3 T G w), T = key rows that tiles of
// queries go through.

#include "tiles.cuh"

extern "C" __global__ void __launch_bounds__(THREADS, RESIDENT)
attention_query_gradient(const int* __restrict__ tiles, const float* __restrict__ q, const float* __restrict__ k,
                         const float* __restrict__ v, const float* __restrict__ dy,
                         const float* __restrict__ statistics, float* __restrict__ dq, SCORE_PARAMETERS) {
  __shared__ Shared shared;
  const Scores scores = SCORES;
  const Tile tile = tile_of(tiles, kv_heads);
  const Rows<const float> queries = pairs_of(q, tile, scores), dys = pairs_of(dy, tile, scores);
  const Rows<const float> keys = keys_of(k, tile, scores), values = keys_of(v, tile, scores);
  const int x = threadIdx.x % 16, y = threadIdx.x / 16;

  float2 sums[ROWS][CHUNKS] = {};
  const Range seen = keys_seen(tile, scores);
  for (int key = seen.from; key < seen.to; key += TILE_COLUMNS) {
    float s[ROWS][4] = {}, dp[ROWS][4] = {};
    multiply(s, shared, queries, tile.first, keys, key);
    multiply(dp, shared, dys, tile.first, values, key);
#pragma unroll
    for (int i = 0; i < ROWS; i++) {
      const int pair = tile.first + y + 8 * i;
      const Range visible = visible_keys(tile, scores, pair);
      float2 own = make_float2(0.0f, 0.0f);
      if (pair < queries.count) own = ((const float2*)statistics)[place_of(tile, scores, pair)];
#pragma unroll
      for (int j = 0; j < 4; j++) {
        const bool sees = within(visible, key + x + 16 * j);
        const float ds = sees ? gradient_of(scores, own, s[i][j], dp[i][j]).y : 0.0f;
        shared.weights[(y + 8 * i) * WEIGHT_STRIDE + x + 16 * j] = ds;
      }
    }
    add_weighted(sums, shared, keys, key, min(TILE_COLUMNS, seen.to - key));
  }

  const Rows<float> result = pairs_of(dq, tile, scores);
#pragma unroll
  for (int i = 0; i < ROWS; i++) {
    const int pair = tile.first + y + 8 * i;
    if (pair < result.count) store(result.at(pair), sums[i], width, 1.0f);
  }
}
