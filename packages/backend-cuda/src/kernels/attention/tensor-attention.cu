// As attention.cu, with products on tensor cores: operands, weights among them, are rounded to OPERAND; scores, largest ones, weights and sums
// are in float32.
//
// FLOPs and bytes moved: as in attention.cu.

#include "tensor-tiles.cuh"

extern "C" __global__ void __launch_bounds__(THREADS, BLOCKS)
tensor_attention_forward(const int* __restrict__ tiles, const float* __restrict__ q, const float* __restrict__ k,
                         const float* __restrict__ v, float* __restrict__ y_parts, float* __restrict__ log_sum_exp,
                         SCORE_PARAMETERS, int part, long long places, float nothing) {
  __shared__ Shared shared;
  const Scores scores = SCORES;
  const Tile tile = tile_of(tiles, kv_heads);
  const Rows<const float> queries = pairs_of(q, tile, scores);
  const Rows<const float> keys = keys_of(k, tile, scores), values = keys_of(v, tile, scores);

  float sums[FRAGMENTS][4] = {};
  // A thread's totals are those of its own keys until the end.
  float largest[ROWS_OF_LANE] = {LOWEST, LOWEST}, totals[ROWS_OF_LANE] = {};

  const Range seen = keys_seen(tile, scores);
  const int from = max(seen.from, (int)blockIdx.y * part), to = min(seen.to, ((int)blockIdx.y + 1) * part);
  Pipe pipe(shared);
  if (from < to) pipe.ask(queries, tile.first, keys, from, 0);
#pragma unroll 1
  for (int key = from; key < to; key += COLUMNS) {
    float s[COLUMNS / 8][4] = {};
    multiply(s, pipe, queries, tile.first, keys, key, [&] { pipe.ask(values, key, FIRST_CHUNK); });
#pragma unroll
    for (int i = 0; i < ROWS_OF_LANE; i++) {
      const Range own = visible_keys(tile, scores, tile.first + row_of(i));
      const Range visible = {own.from, min(own.to, to)};
      float most = LOWEST;
#pragma unroll
      for (int j = 0; j < COLUMNS / 4; j++) {
        float& score = s[j / 2][2 * i + j % 2];
        score = score_of(scores, score);
        if (within(visible, key + column_of(j / 2) + j % 2)) most = fmaxf(most, score);
      }
      const float next = fmaxf(largest[i], row_max(most));
      const float factor = expf(largest[i] - next);
      largest[i] = next;
      totals[i] *= factor;
#pragma unroll
      for (int n = 0; n < FRAGMENTS; n++) {
        sums[n][2 * i] *= factor;
        sums[n][2 * i + 1] *= factor;
      }
#pragma unroll
      for (int j = 0; j < COLUMNS / 4; j++) {
        float& score = s[j / 2][2 * i + j % 2];
        score = within(visible, key + column_of(j / 2) + j % 2) ? expf(score - next) : 0.0f;
        totals[i] += score;
      }
    }
    add_weighted(sums, pipe, Weights(s), values, key, [&] {
      if (key + COLUMNS < to) pipe.ask(queries, tile.first, keys, key + COLUMNS, 0);
    });
  }

  const Rows<float> result = pairs_of(y_parts + blockIdx.y * places * width, tile, scores);
#pragma unroll
  for (int i = 0; i < ROWS_OF_LANE; i++) {
    const int pair = tile.first + row_of(i);
    const float total = row_sum(totals[i]);
    if (pair >= result.count) continue;
    // Not a number stays one.
    const bool empty = total == 0.0f;
    store(result.at(pair), sums, i, width, empty ? 0.0f : 1.0f / total);
    if (LANE % 4 == 0 && blockIdx.z == 0) {
      log_sum_exp[blockIdx.y * places + place_of(tile, scores, pair)] = empty ? nothing : largest[i] + logf(total);
    }
  }
}
