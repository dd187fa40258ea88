// y = OPERATION(x) for each element.
//
// OPERATION is an expression of x, p0 and p1; INPUT and OUTPUT are float or int (bool is an int).
// A thread computes four neighbours with one 16-byte load and store, the last ones one at a time.
// Bytes moved: 8 count. FLOPs: one operation for each element.
#include "numbers.cuh"

#define THREADS 256

struct __align__(16) Inputs {
  INPUT at[4];
};

struct __align__(16) Outputs {
  OUTPUT at[4];
};

__device__ __forceinline__ OUTPUT apply(ARGUMENT x, float p0, float p1) { return OPERATION; }

extern "C" __global__ void __launch_bounds__(THREADS)
    unary(const INPUT* __restrict__ x, OUTPUT* __restrict__ y, float p0, float p1, int count) {
  const long long first = ((long long)blockIdx.x * THREADS + threadIdx.x) * 4;
  if (first + 4 <= count) {
    const Inputs from = *(const Inputs*)(x + first);
    Outputs to;
#pragma unroll
    for (int i = 0; i < 4; i++) to.at[i] = apply((ARGUMENT)from.at[i], p0, p1);
    *(Outputs*)(y + first) = to;
    return;
  }
  for (long long i = first; i < count; i++) y[i] = apply((ARGUMENT)x[i], p0, p1);
}
