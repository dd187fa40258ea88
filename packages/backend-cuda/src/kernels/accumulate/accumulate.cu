// sum += term, in place; both have `count` elements. Bytes: 12 count, or 6. FLOPs: count.
#include "bf16.cuh"

template <int N>
__device__ __forceinline__ void add(Stored* sum, const Stored* __restrict__ term) {
  const Pack<N> terms = load<N>(term);
  Pack<N> sums = load<N>(sum);
#pragma unroll
  for (int i = 0; i < N; i++) sums.v[i] += terms.v[i];
  store<N>(sum, sums);
}

extern "C" __global__ void __launch_bounds__(256)
    accumulate(Stored* __restrict__ sum, const Stored* __restrict__ term, long long count) {
  long long i = first_of_four();
  if (i + 4 <= count) {
    add<4>(sum + i, term + i);
  } else {
    for (; i < count; i++) add<1>(sum + i, term + i);
  }
}
