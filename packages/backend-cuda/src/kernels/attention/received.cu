// The third output of BasicAttentionReceived, by key-value head: the sum of P over its query heads and over the query rows that count.
//
// Shapes as in attention.cu; counts_as_text [Rq], receive_from [Rk], received [G, Rk]. A block has a tile of keys of one key-value head and
// goes through the query rows that see them; each sum has a fixed order.
//
// FLOPs: 2 H w S, S = pairs of query and key row that see each other, from the first row on that counts. Bytes moved:
// 4 (Rk G w + 2 T H w), T = query rows that tiles of keys go through.

#include "tiles.cuh"

extern "C" __global__ void __launch_bounds__(THREADS, RESIDENT)
attention_received(const int* __restrict__ tiles, const float* __restrict__ q, const float* __restrict__ k,
                   const float* __restrict__ log_sum_exp, const int* __restrict__ counts_as_text,
                   const int* __restrict__ receive_from, float* __restrict__ received, SCORE_PARAMETERS,
                   long long keys_in_all) {
  __shared__ Shared shared;
  const Scores scores = SCORES;
  const Tile tile = tile_of(tiles, kv_heads);
  const Rows<const float> queries = pairs_of(q, tile, scores), keys = keys_of(k, tile, scores);
  const int x = threadIdx.x % 16, y = threadIdx.x / 16;

  float sums[ROWS] = {};
  const Range seeing = pairs_seeing(tile, scores);
  for (int first = seeing.from; first < seeing.to; first += TILE_COLUMNS) {
    float s[ROWS][4] = {};
    multiply(s, shared, keys, tile.first, queries, first);
#pragma unroll
    for (int j = 0; j < 4; j++) {
      const int pair = first + x + 16 * j;
      if (pair >= queries.count) continue;
      const int row = tile.q_start + pair / group;
      if (counts_as_text[row] != 1) continue;
      const Range visible = visible_keys(tile, scores, pair);
      const float normaliser = log_sum_exp[place_of(tile, scores, pair)];
#pragma unroll
      for (int i = 0; i < ROWS; i++) {
        const int key = tile.first + y + 8 * i;
        if (!within(visible, key) || row < receive_from[tile.k_start + key]) continue;
        sums[i] += expf(score_of(scores, s[i][j]) - normaliser);
      }
    }
  }
#pragma unroll
  for (int i = 0; i < ROWS; i++) {
    const float sum = row_sum(sums[i]);
    const int key = tile.first + y + 8 * i;
    if (x == 0 && key < tile.keys) received[tile.kv_head * keys_in_all + tile.k_start + key] = sum;
  }
}
