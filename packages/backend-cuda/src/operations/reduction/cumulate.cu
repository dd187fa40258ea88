// y = running sums of x [outer, length, inner] along its second axis.
//
// `exclusive` leaves the own value out, `reverse` starts at the end. The lanes of a row take as many neighbours at a time,
// add them by doubling distances in shared memory, and carry the total on; sums are in TOTAL, double or int.
// Bytes moved: 8 |x|. FLOPs: |x| log2(lanes).
#include "lanes.cuh"

extern "C" __global__ void __launch_bounds__(THREADS)
    cumulate(const VALUE* __restrict__ x, VALUE* __restrict__ y, int length, int inner, int lanes, int exclusive,
             int reverse, int results) {
  __shared__ TOTAL sums[THREADS];
  const Place place = place_of(lanes, true);
  const int thread = threadIdx.x;
  const unsigned outer = (unsigned)place.result / (unsigned)inner;
  const long long start = (long long)outer * length * inner + ((unsigned)place.result - outer * (unsigned)inner);
  TOTAL carry = 0;
  for (int first = 0; first < length; first += lanes) {
    const int i = first + place.lane;
    const bool inside = i < length && place.result < results;
    const long long at = start + (long long)(reverse ? length - 1 - i : i) * inner;
    sums[thread] = inside ? (TOTAL)x[at] : (TOTAL)0;
    for (int distance = 1; distance < lanes; distance *= 2) {
      __syncthreads();
      const TOTAL earlier = place.lane >= distance ? sums[thread - distance] : (TOTAL)0;
      __syncthreads();
      sums[thread] += earlier;
    }
    __syncthreads();
    const TOTAL before = place.lane > 0 ? sums[thread - 1] : (TOTAL)0;
    if (inside) y[at] = (VALUE)(carry + (exclusive ? before : sums[thread]));
    carry += sums[thread - place.lane + lanes - 1];
    __syncthreads();
  }
}
