// The parts of BasicLinearCrossEntropy and its backward kernel beside the products: loss = -log softmax(x WT)[label] from blocks of logits.
//
// logits [rows, words], a chunk of the words for some rows; state [rows, 3] of what chunks so far gave: largest logit, sum of
// exp(logit - largest), the label's logit. A block has a row, which stays in the cache between the passes.
//
// Bytes moved, of the logits: absorb 8 rows words and 4 more where they change, gradient 8 rows words. FLOPs: 5 rows words, an exponential
// counted as one.

#include "logits.cuh"

// KEEP: what takes the place of the logits. 0 nothing; 1 exp(logit - largest) times the slope of the cap, with the factor of earlier sums;
// 2 the gradient of the loss, for a chunk of all words.
extern "C" __global__ void __launch_bounds__(THREADS)
    cross_entropy_absorb(const int* __restrict__ labels, float* __restrict__ logits, float* __restrict__ state,
                         float* __restrict__ factors, int words, int first_word, float softcap, int keep) {
  float* row = logits + (long long)blockIdx.x * words;
  float* own = state + 3ll * blockIdx.x;
  const float largest_before = first_word == 0 ? LOWEST : own[0];
  const float sum_before = first_word == 0 ? 0.0f : own[1];
  const int label = labels[blockIdx.x] - first_word;

  float most = LOWEST;
  for_logits(row, words, [&](int, float logit) { most = fmaxf(most, logit); });
  // The cap keeps the order.
  const float largest = fmaxf(cap(block_max(most), softcap), largest_before);

  float sum = 0.0f;
  for_logits(row, words, [&](int word, float logit) {
    const float capped = cap(logit, softcap);
    sum += expf(capped - largest);
    if (word == label) own[2] = capped;
  });
  const float factor = expf(largest_before - largest);
  const float total = sum_before * factor + block_sum<THREADS>(sum);
  if (threadIdx.x == 0) {
    own[0] = largest;
    own[1] = total;
    if (keep == 1) factors[blockIdx.x] = factor;
  }
  if (keep == 0) return;
  map_logits(row, words, [&](int word, float logit) {
    const float capped = cap(logit, softcap);
    const float e = expf(capped - largest);
    const float coefficient = keep == 1 ? e : e / total - (word == label ? 1.0f : 0.0f);
    return coefficient * cap_slope(capped, softcap);
  });
}

// Losses and log-sum-exps of rows into their places. One thread a row.
extern "C" __global__ void __launch_bounds__(THREADS)
    cross_entropy_finish(const float* __restrict__ state, const int* __restrict__ rows, float* __restrict__ loss,
                         float* __restrict__ log_sum_exp, int count) {
  const int i = blockIdx.x * THREADS + threadIdx.x;
  if (i >= count) return;
  const double log_sum = log((double)state[3 * i + 1]);
  loss[rows[i]] = (float)(log_sum + ((double)state[3 * i] - (double)state[3 * i + 2]));
  log_sum_exp[rows[i]] = (float)((double)state[3 * i] + log_sum);
}

// Slopes of rows into their places: the mean of the words' rows, less the label's.
extern "C" __global__ void __launch_bounds__(THREADS)
    cross_entropy_slope(const float* __restrict__ means, const float* __restrict__ label_rows,
                        const float* __restrict__ state, const int* __restrict__ rows, float* __restrict__ slope,
                        long long count, int width, float softcap) {
  for_each_element(count, [&](long long i) {
    const long long row = i / width;
    const float mean = means[i] / state[3 * row + 1];
    slope[rows[row] * (long long)width + i % width] = mean - cap_slope(state[3 * row + 2], softcap) * label_rows[i];
  });
}

// Logits become the gradient of the loss with respect to them. A block has a row.
extern "C" __global__ void __launch_bounds__(THREADS)
    cross_entropy_gradient(const float* __restrict__ dloss, const float* __restrict__ log_sum_exp,
                           const int* __restrict__ rows, const int* __restrict__ labels, float* __restrict__ logits,
                           int words, int first_word, float softcap) {
  const int at = rows[blockIdx.x];
  const int label = labels[blockIdx.x] - first_word;
  const float factor = dloss[at], normaliser = log_sum_exp[at];
  map_logits(logits + (long long)blockIdx.x * words, words, [&](int word, float logit) {
    const float capped = cap(logit, softcap);
    const float p = expf(capped - normaliser);
    return factor * (p - (word == label ? 1.0f : 0.0f)) * cap_slope(capped, softcap);
  });
}
