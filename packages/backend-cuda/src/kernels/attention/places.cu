// Steps of attention beside the tiles of scores. A place is a head of a query row.

#include "elementwise.cuh"

// Outputs of parts of the keys, weighted by their log-sum-exps; those of a part without keys are -1e30.
//
// y_parts [parts, places, width], part_log_sum_exp [parts, places]. Bytes moved: 4 (parts + 1) places width. FLOPs: 4 parts places width.
extern "C" __global__ void __launch_bounds__(THREADS)
    attention_combine(const float* __restrict__ y_parts, const float* __restrict__ part_log_sum_exp,
                      float* __restrict__ y, float* __restrict__ log_sum_exp, int parts, long long places, int width) {
  for_each_element(places * width, [&](long long i) {
    const long long place = i / width;
    float largest = -3.0e38f;
    for (int part = 0; part < parts; part++) largest = fmaxf(largest, part_log_sum_exp[part * places + place]);
    float total = 0.0f, sum = 0.0f;
    for (int part = 0; part < parts; part++) {
      const float weight = expf(part_log_sum_exp[part * places + place] - largest);
      total += weight;
      sum = fmaf(weight, y_parts[part * places * width + i], sum);
    }
    y[i] = sum / total;
    if (i % width == 0) log_sum_exp[place] = largest <= -1.0e30f ? 0.0f : largest + logf(total);
  });
}

// What the heads of key-value heads received, in all: by_head [heads, keys]. Bytes moved: 4 (heads + 1) keys.
extern "C" __global__ void __launch_bounds__(THREADS)
    attention_received_sum(const float* __restrict__ by_head, float* __restrict__ received, int heads, long long keys) {
  for_each_element(keys, [&](long long key) {
    float sum = 0.0f;
    for (int head = 0; head < heads; head++) sum += by_head[head * keys + key];
    received[key] = sum;
  });
}

#define LANES 8

// As products take dy: where they round it, its sums with y must too, or gradients that cancel leave the rounding.
#ifdef ROUNDED
#include "bf16.cuh"
#define OPERAND_OF(x) float(bf16(x))
#else
#define OPERAND_OF(x) (x)
#endif

// Log-sum-exp and the sum of dy y of each place, side by side: statistics [places, 2]. Eight threads a place.
//
// Bytes moved: 8 places width. FLOPs: 2 places width.
extern "C" __global__ void __launch_bounds__(THREADS)
    attention_statistics(const float* __restrict__ dy, const float* __restrict__ y,
                         const float* __restrict__ log_sum_exp, float* __restrict__ statistics, long long places,
                         int width) {
  const long long place = blockIdx.x * (long long)(THREADS / LANES) + threadIdx.x / LANES;
  const int lane = threadIdx.x % LANES;
  float sum = 0.0f;
  if (place < places) {
    for (int d = lane; d < width; d += LANES) sum = fmaf(OPERAND_OF(dy[place * width + d]), y[place * width + d], sum);
  }
  for (int step = LANES / 2; step > 0; step /= 2) sum += __shfl_xor_sync(0xffffffffu, sum, step);
  if (place >= places || lane != 0) return;
  statistics[2 * place] = log_sum_exp[place];
  statistics[2 * place + 1] = sum;
}
