// Gradients of the weights of RMSNorm and LayerNorm: dweight = sum over rows of dy n, dbias = sum over rows of dy, where n
// is the normalised value.
//
// dy, x [rows, width]; mean, inverse [rows]; dweight, dbias [blocks, width], a row for every 128 rows: see columns.cuh.
// CENTRED is 1 for LayerNorm; RMSNorm has neither mean nor bias.
// Bytes: 8 rows width, or 4. FLOPs: 3 rows width (RMSNorm), 5 rows width (LayerNorm).
#include "bf16.cuh"
#include "columns.cuh"

extern "C" __global__ void __launch_bounds__(256)
    norm_weights(const Stored* __restrict__ dy, const Stored* __restrict__ x,
#if CENTRED
                 const float* __restrict__ mean,
#endif
                 const float* __restrict__ inverse, float* __restrict__ dweight,
#if CENTRED
                 float* __restrict__ dbias,
#endif
                 int rows, int width) {
  constexpr int sums = 1 + CENTRED;
  const Pack<sums> sum = column_sums_of<sums>(rows, width, [&](int row, int column) -> Pack<sums> {
    const long long i = static_cast<long long>(row) * width + column;
    const float gradient = dy[i];
#if CENTRED
    return {{gradient * ((x[i] - mean[row]) * inverse[row]), gradient}};
#else
    return {{gradient * (x[i] * inverse[row])}};
#endif
  });
  const int column = blockIdx.x * 32 + threadIdx.x;
  if (threadIdx.y != 0 || column >= width) return;
  const long long to = static_cast<long long>(blockIdx.y) * width + column;
  dweight[to] = sum.v[0];
#if CENTRED
  dbias[to] = sum.v[1];
#endif
}
