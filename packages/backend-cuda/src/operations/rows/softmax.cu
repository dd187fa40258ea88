// y = softmax of each row of x [rows, width], or its logarithm where LOGARITHM is 1.
//
// The lanes of a row find its maximum, then the sum of exponentials (added up in double), then write.
// Bytes moved: 8 |x| (12 |x| more from the cache). FLOPs: 5 |x|.
#include "lanes.cuh"

extern "C" __global__ void __launch_bounds__(THREADS)
    softmax(const float* __restrict__ x, float* __restrict__ y, int width, int lanes, int rows) {
  __shared__ float largest[THREADS];
  __shared__ double sums[THREADS];
  const Place place = place_of(lanes, true);
  const int thread = threadIdx.x;
  const int end = place.result < rows ? width : 0;
  const float* from = x + place.result * width;
  float most = __int_as_float(0xff800000);
  for (int i = place.lane; i < end; i += lanes) most = fmaxf(most, from[i]);
  largest[thread] = most;
  for (int half = lanes / 2; half > 0; half /= 2) {
    __syncthreads();
    if (place.lane < half) largest[thread] = fmaxf(largest[thread], largest[thread + half]);
  }
  __syncthreads();
  most = largest[thread - place.lane];
  double sum = 0;
  for (int i = place.lane; i < end; i += lanes) sum += expf(from[i] - most);
  sums[thread] = sum;
  for (int half = lanes / 2; half > 0; half /= 2) {
    __syncthreads();
    if (place.lane < half) sums[thread] += sums[thread + half];
  }
  __syncthreads();
  const float total = (float)sums[thread - place.lane];
  float* to = y + place.result * width;
#if LOGARITHM
  const float shift = logf(total);
  for (int i = place.lane; i < end; i += lanes) to[i] = from[i] - most - shift;
#else
  for (int i = place.lane; i < end; i += lanes) to[i] = expf(from[i] - most) / total;
#endif
}
