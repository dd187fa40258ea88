// Sums and maxima over a warp or a block, always in the same order.
#pragma once

__device__ __forceinline__ float warp_sum(float value) {
#pragma unroll
  for (int step = 16; step > 0; step /= 2) value += __shfl_xor_sync(0xffffffffu, value, step);
  return value;
}

__device__ __forceinline__ float warp_max(float value) {
#pragma unroll
  for (int step = 16; step > 0; step /= 2) value = fmaxf(value, __shfl_xor_sync(0xffffffffu, value, step));
  return value;
}

// Sum over a block of COUNT threads, for each of them. A block of one warp needs no barrier.
template <int COUNT>
__device__ __forceinline__ float block_sum(float value) {
  value = warp_sum(value);
  if constexpr (COUNT > 32) {
    __shared__ float parts[COUNT / 32];
    // Somebody may still read the sums of the call before.
    __syncthreads();
    if (threadIdx.x % 32 == 0) parts[threadIdx.x / 32] = value;
    __syncthreads();
    value = 0.0f;
#pragma unroll
    for (int i = 0; i < COUNT / 32; i++) value += parts[i];
  }
  return value;
}
