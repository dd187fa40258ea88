// As key-gradient.cu, with products on tensor cores: operands, P and dS among them, are rounded to OPERAND; all else is in float32.
//
// FLOPs and bytes moved: as in key-gradient.cu.

#include "tensor-tiles.cuh"

extern "C" __global__ void __launch_bounds__(THREADS, BLOCKS)
tensor_attention_key_gradient(const int* __restrict__ tiles, const float* __restrict__ q, const float* __restrict__ k,
                              const float* __restrict__ v, const float* __restrict__ dy,
                              const float* __restrict__ statistics, float* __restrict__ dk, float* __restrict__ dv,
                              SCORE_PARAMETERS) {
  __shared__ Shared shared;
  const Scores scores = SCORES;
  const Tile tile = tile_of(tiles, kv_heads);
  const Rows<const float> queries = pairs_of(q, tile, scores), dys = pairs_of(dy, tile, scores);
  const Rows<const float> keys = keys_of(k, tile, scores), values = keys_of(v, tile, scores);

  float key_sums[FRAGMENTS][4] = {}, value_sums[FRAGMENTS][4] = {};
  const Range seeing = pairs_seeing(tile, scores);
  Pipe pipe(shared);
  if (seeing.from < seeing.to) pipe.ask(keys, tile.first, queries, seeing.from, 0);
#pragma unroll 1
  for (int first = seeing.from; first < seeing.to; first += COLUMNS) {
    float p[COLUMNS / 8][4] = {}, ds[COLUMNS / 8][4] = {};
    multiply(p, pipe, keys, tile.first, queries, first, [&] { pipe.ask(values, tile.first, dys, first, 0); });
    multiply(ds, pipe, values, tile.first, dys, first, [&] { pipe.ask(dys, first, FIRST_CHUNK); });
#pragma unroll
    for (int j = 0; j < COLUMNS / 4; j++) {
      const int pair = first + column_of(j / 2) + j % 2;
      const Range visible = visible_keys(tile, scores, pair);
      float2 own = make_float2(0.0f, 0.0f);
      if (pair < queries.count) own = ((const float2*)statistics)[place_of(tile, scores, pair)];
#pragma unroll
      for (int i = 0; i < ROWS_OF_LANE; i++) {
        float &weight = p[j / 2][2 * i + j % 2], &gradient = ds[j / 2][2 * i + j % 2];
        float2 both = make_float2(0.0f, 0.0f);
        if (within(visible, tile.first + row_of(i))) both = gradient_of(scores, own, weight, gradient);
        weight = both.x;
        gradient = both.y;
      }
    }
    add_weighted(value_sums, pipe, Weights(p), dys, first, [&] { pipe.ask(queries, first, FIRST_CHUNK); });
    add_weighted(key_sums, pipe, Weights(ds), queries, first, [&] {
      if (first + COLUMNS < seeing.to) pipe.ask(keys, tile.first, queries, first + COLUMNS, 0);
    });
  }

  const Rows<float> key_result = keys_of(dk, tile, scores), value_result = keys_of(dv, tile, scores);
#pragma unroll
  for (int i = 0; i < ROWS_OF_LANE; i++) {
    const int key = tile.first + row_of(i);
    if (key >= tile.keys) continue;
    store(key_result.at(key), key_sums, i, width, 1.0f);
    store(value_result.at(key), value_sums, i, width, 1.0f);
  }
}
