// As query-gradient.cu, with products on tensor cores: operands, dS among them, are rounded to OPERAND; all else is in float32.
//
// FLOPs and bytes moved: as in query-gradient.cu.

#include "tensor-tiles.cuh"

extern "C" __global__ void __launch_bounds__(THREADS, BLOCKS)
tensor_attention_query_gradient(const int* __restrict__ tiles, const float* __restrict__ q,
                                const float* __restrict__ k, const float* __restrict__ v,
                                const float* __restrict__ dy, const float* __restrict__ statistics,
                                float* __restrict__ dq, SCORE_PARAMETERS) {
  __shared__ Shared shared;
  const Scores scores = SCORES;
  const Tile tile = tile_of(tiles, kv_heads);
  const Rows<const float> queries = pairs_of(q, tile, scores), dys = pairs_of(dy, tile, scores);
  const Rows<const float> keys = keys_of(k, tile, scores), values = keys_of(v, tile, scores);

  float sums[FRAGMENTS][4] = {};
  const Range seen = keys_seen(tile, scores);
  Pipe pipe(shared);
  if (seen.from < seen.to) pipe.ask(queries, tile.first, keys, seen.from, 0);
#pragma unroll 1
  for (int key = seen.from; key < seen.to; key += COLUMNS) {
    float s[COLUMNS / 8][4] = {}, dp[COLUMNS / 8][4] = {};
    multiply(s, pipe, queries, tile.first, keys, key, [&] { pipe.ask(dys, tile.first, values, key, 0); });
    multiply(dp, pipe, dys, tile.first, values, key, [&] { pipe.ask(keys, key, FIRST_CHUNK); });
#pragma unroll
    for (int i = 0; i < ROWS_OF_LANE; i++) {
      const int pair = tile.first + row_of(i);
      const Range visible = visible_keys(tile, scores, pair);
      float2 own = make_float2(0.0f, 0.0f);
      if (pair < queries.count) own = ((const float2*)statistics)[place_of(tile, scores, pair)];
#pragma unroll
      for (int j = 0; j < COLUMNS / 4; j++) {
        float& score = s[j / 2][2 * i + j % 2];
        const bool sees = within(visible, key + column_of(j / 2) + j % 2);
        score = sees ? gradient_of(scores, own, score, dp[j / 2][2 * i + j % 2]).y : 0.0f;
      }
    }
    add_weighted(sums, pipe, Weights(s), keys, key, [&] {
      if (key + COLUMNS < seen.to) pipe.ask(queries, tile.first, keys, key + COLUMNS, 0);
    });
  }

  const Rows<float> result = pairs_of(dq, tile, scores);
#pragma unroll
  for (int i = 0; i < ROWS_OF_LANE; i++) {
    const int pair = tile.first + row_of(i);
    if (pair < result.count) store(result.at(pair), sums, i, width, 1.0f);
  }
}
