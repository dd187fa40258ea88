// The parts of BasicLinearKl and its backward kernel beside the products: kl = KL(softmax(r ET) || softmax(v ET)) from blocks of logits.
//
// v_logits, r_logits [rows, words], a chunk of the words for some rows; state [rows, 5] of what chunks so far gave: largest logit of v and
// of r, sums of exp(logit - largest) of v and of r, and the cross sum of exp(r - largest r) ((r - largest r) - (v - largest v)). A block
// has a row of each, which stay in the cache between the passes.
//
// Bytes moved, of the logits: absorb 16 rows words and 4 or 8 more where they change, gradient 12 or 16 rows words. FLOPs: 10 rows words, an
// exponential counted as one.

#include "logits.cuh"

// KEEP: what takes the place of the logits. 0 nothing; 1 exp(logit - largest) of both, with the factors of earlier sums; 2 the difference of
// both rows' probabilities in place of v's, for a chunk of all words.
// Without a number of blocks ptxas aims for more on sm_100, and spills.
extern "C" __global__ void __launch_bounds__(THREADS, 6)
    kl_absorb(float* __restrict__ v_logits, float* __restrict__ r_logits, float* __restrict__ state,
              float* __restrict__ v_factors, float* __restrict__ r_factors, int words, int first_word, int keep) {
  const long long start = (long long)blockIdx.x * words;
  float *v = v_logits + start, *r = r_logits + start, *own = state + 5ll * blockIdx.x;
  const bool is_first = first_word == 0;
  const float v_before = is_first ? LOWEST : own[0], r_before = is_first ? LOWEST : own[1];
  const float v_sum_before = is_first ? 0.0f : own[2], r_sum_before = is_first ? 0.0f : own[3];
  const float cross_before = is_first ? 0.0f : own[4];

  float v_most = LOWEST, r_most = LOWEST;
  for_logits(v, words, [&](int, float logit) { v_most = fmaxf(v_most, logit); });
  for_logits(r, words, [&](int, float logit) { r_most = fmaxf(r_most, logit); });
  const float v_largest = fmaxf(block_max(v_most), v_before);
  const float r_largest = fmaxf(block_max(r_most), r_before);

  float v_sum = 0.0f, r_sum = 0.0f, cross = 0.0f;
  for_logits(v, words, [&](int word, float logit) {
    const float v_gap = logit - v_largest, r_gap = r[word] - r_largest;
    const float r_exponential = expf(r_gap);
    v_sum += expf(v_gap);
    r_sum += r_exponential;
    cross = fmaf(r_exponential, r_gap - v_gap, cross);
  });
  v_sum = block_sum<THREADS>(v_sum);
  r_sum = block_sum<THREADS>(r_sum);
  cross = block_sum<THREADS>(cross);
  const float v_factor = expf(v_before - v_largest), r_factor = expf(r_before - r_largest);
  if (threadIdx.x == 0) {
    own[0] = v_largest;
    own[1] = r_largest;
    own[2] = v_sum_before * v_factor + v_sum;
    own[3] = r_sum_before * r_factor + r_sum;
    // Earlier terms become relative to the new largest logits.
    const float moved = is_first ? 0.0f : (r_before - r_largest) - (v_before - v_largest);
    own[4] = r_factor * (cross_before + r_sum_before * moved) + cross;
    if (keep == 1) {
      v_factors[blockIdx.x] = v_factor;
      r_factors[blockIdx.x] = r_factor;
    }
  }
  if (keep == 1) {
    map_logits(v, words, [&](int, float logit) { return expf(logit - v_largest); });
    map_logits(r, words, [&](int, float logit) { return expf(logit - r_largest); });
  }
  if (keep == 2) {
    map_logits(v, words, [&](int word, float logit) {
      return expf(logit - v_largest) / v_sum - expf(r[word] - r_largest) / r_sum;
    });
  }
}

// Results of rows that begin at `first`. One thread a row.
extern "C" __global__ void __launch_bounds__(THREADS)
    kl_finish(const float* __restrict__ state, const float* __restrict__ a, float* __restrict__ loss,
              float* __restrict__ kl, float* __restrict__ lse_v, float* __restrict__ lse_r, int count, int first) {
  const int i = blockIdx.x * THREADS + threadIdx.x;
  if (i >= count) return;
  const float* own = state + 5ll * i;
  const long long row = (long long)first + i;
  const double v_log_sum = log((double)own[2]), r_log_sum = log((double)own[3]);
  // Only rounding could bring it below 0; not a number stays one.
  const double sum = (double)own[4] / (double)own[3] - r_log_sum + v_log_sum;
  const double divergence = sum < 0.0 ? 0.0 : sum;
  kl[row] = (float)divergence;
  loss[row] = (float)((double)a[row] * divergence);
  lse_v[row] = (float)((double)own[0] + v_log_sum);
  lse_r[row] = (float)((double)own[1] + r_log_sum);
}

// Slopes of rows: the mean of the words' rows by v, less that by r.
extern "C" __global__ void __launch_bounds__(THREADS)
    kl_slope(const float* __restrict__ v_means, const float* __restrict__ r_means, const float* __restrict__ state,
             float* __restrict__ slope, long long count, int width) {
  for_each_element(count, [&](long long i) {
    const float* own = state + i / width * 5;
    slope[i] = v_means[i] / own[2] - r_means[i] / own[3];
  });
}

// Logits become gradients of the losses with respect to v's and, where wanted, r's. A block has a row.
extern "C" __global__ void __launch_bounds__(THREADS)
    kl_gradient(const float* __restrict__ dloss, const float* __restrict__ a, const float* __restrict__ kl,
                const float* __restrict__ lse_v, const float* __restrict__ lse_r, float* __restrict__ v_logits,
                float* __restrict__ r_logits, int words, int first, int needs_refined) {
  const long long row = (long long)first + blockIdx.x;
  float *v = v_logits + (long long)blockIdx.x * words, *r = r_logits + (long long)blockIdx.x * words;
  const float factor = dloss[row] * a[row], v_lse = lse_v[row], r_lse = lse_r[row], divergence = kl[row];
  // The gradient of v is written in the place that the one of r still reads, by the same thread.
  if (needs_refined) {
    map_logits(r, words, [&](int word, float logit) {
      const float log_p = v[word] - v_lse, log_q = logit - r_lse;
      const float p = expf(log_p), q = expf(log_q);
      v[word] = factor * (p - q);
      return factor * q * (log_q - log_p - divergence);
    });
  } else {
    map_logits(v, words, [&](int word, float logit) {
      return factor * (expf(logit - v_lse) - expf(r[word] - r_lse));
    });
  }
}
