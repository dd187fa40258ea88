// y [outer, inner] = where x [outer, length, inner] has its extreme along the second axis; the first of equal ones.
//
// BETTER is an expression of value and best. NaN is never an extreme, but where the first value is one, it is the result,
// as in tfjs. Bytes moved: 4 |x| + 4 |y|. FLOPs: |x|.
#include "lanes.cuh"

// Whether `value` at `at` goes before `best` at `index`; `none` stands for no index yet.
__device__ __forceinline__ bool before(VALUE value, int at, VALUE best, int index, int none) {
  if (at == none) return false;
  return index == none || BETTER || (value == best && at < index);
}

extern "C" __global__ void __launch_bounds__(THREADS)
    arg_reduce(const VALUE* __restrict__ x, int* __restrict__ y, int length, int inner, int lanes, int results) {
  __shared__ VALUE values[THREADS];
  __shared__ int indices[THREADS];
  const Place place = place_of(lanes, inner == 1);
  const int thread = threadIdx.x;
  VALUE best = 0;
  int index = length;
  long long start = 0;
  if (place.result < results) {
    const unsigned outer = (unsigned)place.result / (unsigned)inner;
    start = (long long)outer * length * inner + ((unsigned)place.result - outer * (unsigned)inner);
    for (int row = place.lane; row < length; row += lanes) {
      const VALUE value = x[start + (long long)row * inner];
      if (value != value || !before(value, row, best, index, length)) continue;
      best = value;
      index = row;
    }
  }
  values[thread] = best;
  indices[thread] = index;
  for (int half = lanes / 2; half > 0; half /= 2) {
    __syncthreads();
    const int other = thread + half * place.step;
    if (place.lane >= half || !before(values[other], indices[other], values[thread], indices[thread], length)) continue;
    values[thread] = values[other];
    indices[thread] = indices[other];
  }
  if (place.lane > 0 || place.result >= results) return;
  const bool none = indices[thread] == length || x[start] != x[start];
  y[place.result] = none ? 0 : indices[thread];
}
