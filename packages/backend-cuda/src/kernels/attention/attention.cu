// BasicAttention: y = softmax(mask(cap(scale q kT))) v over packed rows, in float32.
//
// q, y [Rq, H w]; k, v [Rk, G w]; log_sum_exp [Rq, H]. A block has a tile of query rows of one key-value head, of all its
// query heads, goes through the keys in tiles and keeps running largest scores and sums (online softmax: Milakov and Gimelshein,
// arXiv:1805.02867; tiles: Dao et al., arXiv:2205.14135). Where there are few query rows, blocks share the keys (grid y), and
// `attention_combine` of places.cu adds up their parts. Each sum has a fixed order.
//
// FLOPs: 4 H w S, S = pairs of query and key row that see each other. Bytes moved:
// 4 (2 Rq H w + 2 T G w), T = key rows that tiles of queries go through.

#include "tiles.cuh"

extern "C" __global__ void __launch_bounds__(THREADS, RESIDENT)
attention_forward(const int* __restrict__ tiles, const float* __restrict__ q, const float* __restrict__ k,
                  const float* __restrict__ v, float* __restrict__ y_parts, float* __restrict__ log_sum_exp,
                  SCORE_PARAMETERS, int part, long long places, float nothing) {
  __shared__ Shared shared;
  const Scores scores = SCORES;
  const Tile tile = tile_of(tiles, kv_heads);
  const Rows<const float> queries = pairs_of(q, tile, scores);
  const Rows<const float> keys = keys_of(k, tile, scores), values = keys_of(v, tile, scores);
  const int x = threadIdx.x % 16, y = threadIdx.x / 16;

  float2 sums[ROWS][CHUNKS] = {};
  // A thread's totals are those of its own keys until the end.
  float largest[ROWS], totals[ROWS] = {};
#pragma unroll
  for (int i = 0; i < ROWS; i++) largest[i] = LOWEST;

  const Range seen = keys_seen(tile, scores);
  const int from = max(seen.from, (int)blockIdx.y * part), to = min(seen.to, ((int)blockIdx.y + 1) * part);
  for (int key = from; key < to; key += TILE_COLUMNS) {
    float s[ROWS][4] = {};
    multiply(s, shared, queries, tile.first, keys, key);
#pragma unroll
    for (int i = 0; i < ROWS; i++) {
      const int pair = tile.first + y + 8 * i;
      const Range own = visible_keys(tile, scores, pair);
      const Range visible = {own.from, min(own.to, to)};
      float most = LOWEST;
#pragma unroll
      for (int j = 0; j < 4; j++) {
        s[i][j] = score_of(scores, s[i][j]);
        if (within(visible, key + x + 16 * j)) most = fmaxf(most, s[i][j]);
      }
      const float next = fmaxf(largest[i], row_max(most));
      const float factor = expf(largest[i] - next);
      largest[i] = next;
      totals[i] *= factor;
#pragma unroll
      for (int chunk = 0; chunk < CHUNKS; chunk++) {
        sums[i][chunk].x *= factor;
        sums[i][chunk].y *= factor;
      }
#pragma unroll
      for (int j = 0; j < 4; j++) {
        const float p = within(visible, key + x + 16 * j) ? expf(s[i][j] - next) : 0.0f;
        totals[i] += p;
        shared.weights[(y + 8 * i) * WEIGHT_STRIDE + x + 16 * j] = p;
      }
    }
    add_weighted(sums, shared, values, key, min(TILE_COLUMNS, to - key));
  }

  const Rows<float> result = pairs_of(y_parts + blockIdx.y * places * width, tile, scores);
#pragma unroll
  for (int i = 0; i < ROWS; i++) {
    const int pair = tile.first + y + 8 * i;
    const float total = row_sum(totals[i]);
    if (pair >= result.count) continue;
    // Not a number stays one.
    const bool empty = total == 0.0f;
    store(result.at(pair), sums[i], width, empty ? 0.0f : 1.0f / total);
    if (x == 0 && blockIdx.z == 0) {
      log_sum_exp[blockIdx.y * places + place_of(tile, scores, pair)] = empty ? nothing : largest[i] + logf(total);
    }
  }
}
