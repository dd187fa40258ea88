// values, indices [rows, k]: the largest values of each row of x [rows, length], largest first; of equal ones the first.
//
// NaN comes last. The lanes of a row look k times for the first value after the one before, so nothing is marked or moved.
// Bytes moved: 4 k |x| (from the cache where rows are short) + 8 rows k. FLOPs: k |x|.
#include "lanes.cuh"

// Whether `a` at `i` comes before `b` at `j`.
__device__ __forceinline__ bool before(VALUE a, int i, VALUE b, int j) {
  const bool none = a != a;
  if (b != b) return !none || i < j;
  return !none && (a > b || (a == b && i < j));
}

extern "C" __global__ void __launch_bounds__(THREADS)
    top_k(const VALUE* __restrict__ x, VALUE* __restrict__ values, int* __restrict__ indices, int length, int k,
          int lanes, int rows) {
  __shared__ VALUE found[THREADS];
  __shared__ int places[THREADS];
  const Place place = place_of(lanes, true);
  const int thread = threadIdx.x;
  const bool inside = place.result < rows;
  const VALUE* row = x + (inside ? place.result : 0) * length;
  VALUE last = 0;
  int last_place = -1;
  for (int rank = 0; rank < k; rank++) {
    VALUE best = 0;
    int best_place = length;
    for (int i = place.lane; i < length; i += lanes) {
      const VALUE value = row[i];
      if (last_place >= 0 && !before(last, last_place, value, i)) continue;
      if (best_place < length && !before(value, i, best, best_place)) continue;
      best = value;
      best_place = i;
    }
    found[thread] = best;
    places[thread] = best_place;
    for (int half = lanes / 2; half > 0; half /= 2) {
      __syncthreads();
      const int other = thread + half;
      if (place.lane >= half || places[other] == length) continue;
      if (places[thread] < length && !before(found[other], places[other], found[thread], places[thread])) continue;
      found[thread] = found[other];
      places[thread] = places[other];
    }
    __syncthreads();
    last = found[thread - place.lane];
    last_place = places[thread - place.lane];
    __syncthreads();
    if (place.lane > 0 || !inside) continue;
    values[place.result * k + rank] = last;
    indices[place.result * k + rank] = last_place;
  }
}
