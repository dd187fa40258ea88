// Passes over a row of logits, by a block of the THREADS of elementwise.cuh.
#pragma once

#include "elementwise.cuh"
#include "reduce.cuh"

// Below every logit that counts.
#define LOWEST -3.0e38f

// Largest value of a block, for each of its threads.
__device__ __forceinline__ float block_max(float value) {
  __shared__ float parts[THREADS / 32];
  value = warp_max(value);
  // Somebody may still read those of the call before.
  __syncthreads();
  if (threadIdx.x % 32 == 0) parts[threadIdx.x / 32] = value;
  __syncthreads();
  value = parts[0];
#pragma unroll
  for (int i = 1; i < THREADS / 32; i++) value = fmaxf(value, parts[i]);
  return value;
}

// Calls use(word, logit) for the logits of this thread, four neighbours at a time where rows are aligned to four.
template <typename Use>
__device__ __forceinline__ void for_logits(const float* row, int words, Use use) {
  if (words % 4 == 0) {
    for (int w = 4 * threadIdx.x; w < words; w += 4 * THREADS) {
      const float4 four = *(const float4*)(row + w);
      use(w, four.x);
      use(w + 1, four.y);
      use(w + 2, four.z);
      use(w + 3, four.w);
    }
  } else {
    for (int w = threadIdx.x; w < words; w += THREADS) use(w, row[w]);
  }
}

// Replaces the logits of this thread by change(word, logit).
template <typename Change>
__device__ __forceinline__ void map_logits(float* row, int words, Change change) {
  if (words % 4 == 0) {
    for (int w = 4 * threadIdx.x; w < words; w += 4 * THREADS) {
      float4* place = (float4*)(row + w);
      const float4 four = *place;
      *place = make_float4(change(w, four.x), change(w + 1, four.y), change(w + 2, four.z), change(w + 3, four.w));
    }
  } else {
    for (int w = threadIdx.x; w < words; w += THREADS) row[w] = change(w, row[w]);
  }
}

// softcap tanh(x / softcap), or x where there is no cap.
__device__ __forceinline__ float cap(float x, float softcap) {
  return softcap == 0.0f ? x : softcap * tanhf(x / softcap);
}

// Its derivative where it gives y.
__device__ __forceinline__ float cap_slope(float y, float softcap) {
  if (softcap == 0.0f) return 1.0f;
  const float t = y / softcap;
  return 1.0f - t * t;
}
