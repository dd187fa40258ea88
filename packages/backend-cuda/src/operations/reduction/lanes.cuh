// Some threads of a block, its lanes, work on each of its results; lanes are a power of 2 up to THREADS.

#define THREADS 256

struct Place {
  // Number of the result, and of the thread among its lanes.
  long long result;
  int lane;
  // Distance between neighbouring lanes in the block.
  int step;
};

// Neighbouring threads are lanes of one result where values are contiguous along the reduced axis, else the same lane of
// neighbouring results: both make loads contiguous.
__device__ __forceinline__ Place place_of(int lanes, bool contiguous) {
  const int thread = threadIdx.x;
  const int results = THREADS / lanes;
  const long long first = (long long)blockIdx.x * results;
  if (contiguous) return {first + thread / lanes, thread % lanes, 1};
  return {first + thread % results, thread / results, results};
}
