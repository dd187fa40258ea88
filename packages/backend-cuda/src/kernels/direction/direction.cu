// BasicDirection and BasicDirectionBackward: loss = a |v / |v| - r / |r||^2 of each row, and its gradients.
//
// v, r, dv, dr [rows, width]; a, loss, dloss [rows]. A block has a row and reads it two or three times, from the cache after the first.
// Rows that are not longer than 1e-12 count as zero rows: no gradient reaches them.
//
// Bytes moved: forward 8 rows width; backward 12 rows width, or 16 with dr; half of it in bfloat16. FLOPs: forward 9 rows width, backward 14 rows width.

#include "bf16.cuh"
#include "reduce.cuh"

#define THREADS 128
#define SHORTEST 1e-12f

// Columns that a thread reads at once: 4 where the width is a multiple of that, or 1. Fixed when it is compiled.
using Columns = Pack<AT_ONCE>;

// Calls use(d, columns of v and r from d on) for all columns of this thread.
template <typename Use>
__device__ __forceinline__ void for_columns(const Stored* v, const Stored* r, int width, Use use) {
  for (int d = AT_ONCE * threadIdx.x; d < width; d += AT_ONCE * THREADS) {
    use(d, load<AT_ONCE>(v + d), load<AT_ONCE>(r + d));
  }
}

struct Lengths {
  float v, r;
};

__device__ __forceinline__ float dot(const Columns& a, const Columns& b, float sum) {
#pragma unroll
  for (int i = 0; i < AT_ONCE; i++) sum = fmaf(a.v[i], b.v[i], sum);
  return sum;
}

__device__ __forceinline__ Lengths lengths_of(const Stored* v, const Stored* r, int width) {
  float v_squares = 0.0f, r_squares = 0.0f;
  for_columns(v, r, width, [&](int, Columns a, Columns b) {
    v_squares = dot(a, a, v_squares);
    r_squares = dot(b, b, r_squares);
  });
  v_squares = block_sum<THREADS>(v_squares);
  r_squares = block_sum<THREADS>(r_squares);
  return {fmaxf(sqrtf(v_squares), SHORTEST), fmaxf(sqrtf(r_squares), SHORTEST)};
}

extern "C" __global__ void __launch_bounds__(THREADS)
    direction(const Stored* __restrict__ v, const Stored* __restrict__ r, const float* __restrict__ a,
              float* __restrict__ loss, int width) {
  const long long row = blockIdx.x;
  const Stored *own = v + row * width, *target = r + row * width;
  const Lengths lengths = lengths_of(own, target, width);
  float sum = 0.0f;
  for_columns(own, target, width, [&](int, Columns x, Columns y) {
#pragma unroll
    for (int i = 0; i < AT_ONCE; i++) {
      const float gap = x.v[i] / lengths.v - y.v[i] / lengths.r;
      sum = fmaf(gap, gap, sum);
    }
  });
  sum = block_sum<THREADS>(sum);
  if (threadIdx.x == 0) loss[row] = a[row] * sum;
}

// dx = factor (u' - (u . u') u) / |x| with unit rows u, u' of the row and the other one.
extern "C" __global__ void __launch_bounds__(THREADS)
    direction_backward(const float* __restrict__ dloss, const Stored* __restrict__ v, const Stored* __restrict__ r,
                       const float* __restrict__ a, Stored* __restrict__ dv, Stored* __restrict__ dr, int width,
                       int needs_refined) {
  const long long row = blockIdx.x;
  const Stored *own = v + row * width, *target = r + row * width;
  const Lengths lengths = lengths_of(own, target, width);
  float sum = 0.0f;
  for_columns(own, target, width, [&](int, Columns x, Columns y) {
#pragma unroll
    for (int i = 0; i < AT_ONCE; i++) {
      sum = fmaf(x.v[i] / lengths.v, y.v[i] / lengths.r, sum);
    }
  });
  const float cosine = block_sum<THREADS>(sum);
  const float factor = -2.0f * dloss[row] * a[row];
  const float v_factor = lengths.v > SHORTEST ? factor / lengths.v : 0.0f;
  const float r_factor = lengths.r > SHORTEST ? factor / lengths.r : 0.0f;
  for_columns(own, target, width, [&](int d, Columns x, Columns y) {
    Columns v_gradient, r_gradient;
#pragma unroll
    for (int i = 0; i < AT_ONCE; i++) {
      const float v_unit = x.v[i] / lengths.v, r_unit = y.v[i] / lengths.r;
      v_gradient.v[i] = v_factor * (r_unit - cosine * v_unit);
      r_gradient.v[i] = r_factor * (v_unit - cosine * r_unit);
    }
    store(dv + row * width + d, v_gradient);
    if (needs_refined) store(dr + row * width + d, r_gradient);
  });
}
