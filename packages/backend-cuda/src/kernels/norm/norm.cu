// RMSNorm and LayerNorm over rows, forward and backward.
//
// x, y, dy, dx [rows, width]; weight, bias [width]; mean, inverse [rows].
// ROW_THREADS threads have a row: a warp where it is narrow, else the block. A row comes from memory once and from
// the cache in later passes; sums are of 256 or 32 partial ones. Sources: arXiv:1910.07467, arXiv:1607.06450.
// Bytes: 8 rows width forward, 12 rows width backward; half of it in bfloat16. FLOPs: 4, 7 (RMSNorm) and 7, 10 (LayerNorm) a value.
#define THREADS 256

// In bfloat16, without a number of blocks, ptxas aims for more on sm_100, and spills.
#ifdef STORED
#define LAYER_BOUNDS __launch_bounds__(THREADS, 4)
#else
#define LAYER_BOUNDS __launch_bounds__(THREADS)
#endif

#include "bf16.cuh"
#include "reduce.cuh"

struct Row {
  int number;
  int lane;
};

__device__ __forceinline__ Row row_of_thread() {
  constexpr int rows = THREADS / ROW_THREADS;
  return {static_cast<int>(blockIdx.x * rows + threadIdx.x / ROW_THREADS), static_cast<int>(threadIdx.x % ROW_THREADS)};
}

__device__ __forceinline__ float row_sum(float value) { return block_sum<ROW_THREADS>(value); }

// Calls `visit(d)` for every N-th column of this thread.
template <int N, typename Visit>
__device__ __forceinline__ void for_columns(int lane, int width, Visit visit) {
#pragma unroll 2
  for (int d = lane * N; d < width; d += ROW_THREADS * N) visit(d);
}

template <int N>
__device__ __forceinline__ void rms_row(const Stored* __restrict__ x, const float* __restrict__ weight, Stored* y,
                                        float* inverse, int lane, int width, float epsilon, float offset) {
  float squares = 0.0f;
  for_columns<N>(lane, width, [&](int d) {
    const Pack<N> v = load<N>(x + d);
#pragma unroll
    for (int i = 0; i < N; i++) squares += v.v[i] * v.v[i];
  });
  const float scale = 1.0f / sqrtf(row_sum(squares) / width + epsilon);
  for_columns<N>(lane, width, [&](int d) {
    Pack<N> v = load<N>(x + d);
    const Pack<N> w = load<N>(weight + d);
#pragma unroll
    for (int i = 0; i < N; i++) v.v[i] = v.v[i] * scale * (w.v[i] + offset);
    store<N>(y + d, v);
  });
  if (lane == 0) *inverse = scale;
}

// `offset` is 1 where 1 + weight scales.
extern "C" __global__ void __launch_bounds__(THREADS)
    rms_norm(const Stored* __restrict__ x, const float* __restrict__ weight, Stored* __restrict__ y,
             float* __restrict__ inverse, int rows, int width, float epsilon, float offset) {
  const auto [row, lane] = row_of_thread();
  if (row >= rows) return;
  const long long start = static_cast<long long>(row) * width;
  if (width % 4 == 0) {
    rms_row<4>(x + start, weight, y + start, inverse + row, lane, width, epsilon, offset);
  } else {
    rms_row<1>(x + start, weight, y + start, inverse + row, lane, width, epsilon, offset);
  }
}

template <int N>
__device__ __forceinline__ void rms_row_backward(const Stored* __restrict__ dy, const Stored* __restrict__ x,
                                                 const float* __restrict__ weight, Stored* dx, int lane, int width,
                                                 float scale, float offset) {
  float products = 0.0f;
  for_columns<N>(lane, width, [&](int d) {
    const Pack<N> gradient = load<N>(dy + d);
    const Pack<N> v = load<N>(x + d);
    const Pack<N> w = load<N>(weight + d);
#pragma unroll
    for (int i = 0; i < N; i++) products += gradient.v[i] * (w.v[i] + offset) * (v.v[i] * scale);
  });
  const float mean = row_sum(products) / width;
  for_columns<N>(lane, width, [&](int d) {
    Pack<N> gradient = load<N>(dy + d);
    const Pack<N> v = load<N>(x + d);
    const Pack<N> w = load<N>(weight + d);
#pragma unroll
    for (int i = 0; i < N; i++) {
      gradient.v[i] = scale * (gradient.v[i] * (w.v[i] + offset) - v.v[i] * scale * mean);
    }
    store<N>(dx + d, gradient);
  });
}

extern "C" __global__ void __launch_bounds__(THREADS)
    rms_norm_backward(const Stored* __restrict__ dy, const Stored* __restrict__ x, const float* __restrict__ weight,
                      const float* __restrict__ inverse, Stored* __restrict__ dx, int rows, int width,
                      float offset) {
  const auto [row, lane] = row_of_thread();
  if (row >= rows) return;
  const long long start = static_cast<long long>(row) * width;
  if (width % 4 == 0) {
    rms_row_backward<4>(dy + start, x + start, weight, dx + start, lane, width, inverse[row], offset);
  } else {
    rms_row_backward<1>(dy + start, x + start, weight, dx + start, lane, width, inverse[row], offset);
  }
}

// Its outputs for one row.
struct LayerRow {
  Stored* y;
  float* mean;
  float* inverse;
};

// The variance is that of centred values: a mean of squares less a squared mean would cancel.
template <int N>
__device__ __forceinline__ void layer_row(const Stored* __restrict__ x, const float* __restrict__ weight,
                                          const float* __restrict__ bias, LayerRow out, int lane, int width,
                                          float epsilon) {
  float sum = 0.0f;
  for_columns<N>(lane, width, [&](int d) {
    const Pack<N> v = load<N>(x + d);
#pragma unroll
    for (int i = 0; i < N; i++) sum += v.v[i];
  });
  const float centre = row_sum(sum) / width;
  float squares = 0.0f;
  for_columns<N>(lane, width, [&](int d) {
    const Pack<N> v = load<N>(x + d);
#pragma unroll
    for (int i = 0; i < N; i++) squares += (v.v[i] - centre) * (v.v[i] - centre);
  });
  const float scale = 1.0f / sqrtf(row_sum(squares) / width + epsilon);
  for_columns<N>(lane, width, [&](int d) {
    Pack<N> v = load<N>(x + d);
    const Pack<N> w = load<N>(weight + d);
    const Pack<N> b = load<N>(bias + d);
#pragma unroll
    for (int i = 0; i < N; i++) v.v[i] = (v.v[i] - centre) * scale * w.v[i] + b.v[i];
    store<N>(out.y + d, v);
  });
  if (lane == 0) {
    *out.mean = centre;
    *out.inverse = scale;
  }
}

extern "C" __global__ void LAYER_BOUNDS
    layer_norm(const Stored* __restrict__ x, const float* __restrict__ weight, const float* __restrict__ bias,
               Stored* __restrict__ y, float* __restrict__ mean, float* __restrict__ inverse, int rows, int width,
               float epsilon) {
  const auto [row, lane] = row_of_thread();
  if (row >= rows) return;
  const long long start = static_cast<long long>(row) * width;
  const LayerRow out = {y + start, mean + row, inverse + row};
  if (width % 4 == 0) {
    layer_row<4>(x + start, weight, bias, out, lane, width, epsilon);
  } else {
    layer_row<1>(x + start, weight, bias, out, lane, width, epsilon);
  }
}

// What the forward pass found out about a row.
struct RowStatistics {
  float mean;
  float inverse;
};

template <int N>
__device__ __forceinline__ void layer_row_backward(const Stored* __restrict__ dy, const Stored* __restrict__ x,
                                                   const float* __restrict__ weight, Stored* dx, int lane,
                                                   int width, RowStatistics statistics) {
  const float centre = statistics.mean;
  const float scale = statistics.inverse;
  float sum = 0.0f;
  float products = 0.0f;
  for_columns<N>(lane, width, [&](int d) {
    const Pack<N> gradient = load<N>(dy + d);
    const Pack<N> v = load<N>(x + d);
    const Pack<N> w = load<N>(weight + d);
#pragma unroll
    for (int i = 0; i < N; i++) {
      const float g = gradient.v[i] * w.v[i];
      sum += g;
      products += g * ((v.v[i] - centre) * scale);
    }
  });
  const float mean_g = row_sum(sum) / width;
  const float mean_gn = row_sum(products) / width;
  for_columns<N>(lane, width, [&](int d) {
    Pack<N> gradient = load<N>(dy + d);
    const Pack<N> v = load<N>(x + d);
    const Pack<N> w = load<N>(weight + d);
#pragma unroll
    for (int i = 0; i < N; i++) {
      const float n = (v.v[i] - centre) * scale;
      gradient.v[i] = scale * ((gradient.v[i] * w.v[i] - mean_g) - n * mean_gn);
    }
    store<N>(dx + d, gradient);
  });
}

extern "C" __global__ void __launch_bounds__(THREADS)
    layer_norm_backward(const Stored* __restrict__ dy, const Stored* __restrict__ x, const float* __restrict__ weight,
                        const float* __restrict__ mean, const float* __restrict__ inverse, Stored* __restrict__ dx,
                        int rows, int width) {
  const auto [row, lane] = row_of_thread();
  if (row >= rows) return;
  const long long start = static_cast<long long>(row) * width;
  const RowStatistics statistics = {mean[row], inverse[row]};
  if (width % 4 == 0) {
    layer_row_backward<4>(dy + start, x + start, weight, dx + start, lane, width, statistics);
  } else {
    layer_row_backward<1>(dy + start, x + start, weight, dx + start, lane, width, statistics);
  }
}
