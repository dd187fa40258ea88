// y [outer, chunks, inner] = the values of x [outer, length, inner] along its second axis, combined by chunks of it.
//
// COMBINE is an expression of total and value in ACCUMULATOR, which starts as INITIAL; FINISH one of total and divisor.
// Lanes take every lanes-th value of their chunk, then halves of them are combined in shared memory: the order depends on
// the sizes alone. Several chunks are reduced again by another run. Bytes moved: 4 |x| + 4 |y|. FLOPs: |x|.
#include "lanes.cuh"

__device__ __forceinline__ ACCUMULATOR combine(ACCUMULATOR total, ACCUMULATOR value) { return COMBINE; }

__device__ __forceinline__ OUTPUT finish(ACCUMULATOR total, int divisor) { return (OUTPUT)(FINISH); }

extern "C" __global__ void __launch_bounds__(THREADS)
    reduce(const INPUT* __restrict__ x, OUTPUT* __restrict__ y, int length, int inner, int chunk, int chunks, int lanes,
           int divisor, int results) {
  __shared__ ACCUMULATOR partial[THREADS];
  const Place place = place_of(lanes, inner == 1);
  ACCUMULATOR total = INITIAL;
  if (place.result < results) {
    const unsigned group = (unsigned)place.result / (unsigned)inner;
    const unsigned column = (unsigned)place.result - group * (unsigned)inner;
    const unsigned outer = group / (unsigned)chunks;
    const long long begin = (long long)(group - outer * (unsigned)chunks) * chunk;
    const long long end = begin + chunk < length ? begin + chunk : length;
    const INPUT* values = x + (long long)outer * length * inner + column;
#pragma unroll 4
    for (long long row = begin + place.lane; row < end; row += lanes) {
      total = combine(total, (ACCUMULATOR)values[row * inner]);
    }
  }
  partial[threadIdx.x] = total;
  for (int half = lanes / 2; half > 0; half /= 2) {
    __syncthreads();
    if (place.lane >= half) continue;
    partial[threadIdx.x] = combine(partial[threadIdx.x], partial[threadIdx.x + half * place.step]);
  }
  if (place.lane == 0 && place.result < results) y[place.result] = finish(partial[threadIdx.x], divisor);
}
