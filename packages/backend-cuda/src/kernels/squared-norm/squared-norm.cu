// Sum of squares over all tensors: partial sums of 4096 elements, then their sum in double precision by one block, always in
// the same order.
//
// Bytes: 4 elements (1 + 1/4096). FLOPs: 2 a value.
#include "pack.cuh"
#include "reduce.cuh"
#include "tensors.cuh"

#define THREADS 256

// sums [blocks].
extern "C" __global__ void __launch_bounds__(THREADS)
    squares(const Tensor* __restrict__ table, float* __restrict__ sums, int tensors) {
  const Chunk chunk = chunk_of_block(table, tensors, blockIdx.x);
  const float* __restrict__ x = reinterpret_cast<const float*>(table[chunk.tensor].addresses[0]);
  float sum = 0.0f;
  for (long long i = chunk.first + threadIdx.x * 4; i < chunk.last; i += THREADS * 4) {
    if (i + 4 <= chunk.last) {
      const Pack<4> four = load<4>(x + i);
      sum += (four.v[0] * four.v[0] + four.v[1] * four.v[1]) + (four.v[2] * four.v[2] + four.v[3] * four.v[3]);
    } else {
      for (long long at = i; at < chunk.last; at++) sum += x[at] * x[at];
    }
  }
  const float total = block_sum<THREADS>(sum);
  if (threadIdx.x == 0) sums[blockIdx.x] = total;
}

// total [1]. One block.
extern "C" __global__ void __launch_bounds__(THREADS)
    sum_of_squares(const float* __restrict__ sums, float* __restrict__ total, int count) {
  __shared__ double parts[THREADS];
  double sum = 0.0;
  for (int i = threadIdx.x; i < count; i += THREADS) sum += sums[i];
  parts[threadIdx.x] = sum;
  for (int half = THREADS / 2; half > 0; half /= 2) {
    __syncthreads();
    if (threadIdx.x < half) parts[threadIdx.x] += parts[threadIdx.x + half];
  }
  if (threadIdx.x == 0) *total = static_cast<float>(parts[0]);
}
