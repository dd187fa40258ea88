// One thread for up to PER_THREAD elements, THREADS apart, so that a warp reads neighbours.
#pragma once

#define THREADS 256
#define PER_THREAD 4

// Calls `body(i)` for the elements of this thread below `count`.
template <typename Body>
__device__ __forceinline__ void for_each_element(long long count, Body body) {
  long long first = (long long)blockIdx.x * (THREADS * PER_THREAD) + threadIdx.x;
#pragma unroll
  for (int k = 0; k < PER_THREAD; k++) {
    long long i = first + k * THREADS;
    if (i < count) body(i);
  }
}
