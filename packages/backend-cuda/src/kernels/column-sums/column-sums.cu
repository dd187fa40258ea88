// Sums of the columns of x [rows, columns]: sums [blocks, columns], a row for every 128 rows of x.
//
// Blocks of 32 x 8 threads, 32 columns each; the launch is repeated on its sums until one row is left.
// Bytes: 4 rows columns (1 + 1/128). FLOPs: rows columns.
#include "columns.cuh"

extern "C" __global__ void __launch_bounds__(256)
    column_sums(const float* __restrict__ x, float* __restrict__ sums, int rows, int columns) {
  const Pack<1> sum = column_sums_of<1>(rows, columns, [&](int row, int column) -> Pack<1> {
    return {{x[static_cast<long long>(row) * columns + column]}};
  });
  const int column = blockIdx.x * 32 + threadIdx.x;
  if (threadIdx.y == 0 && column < columns) sums[static_cast<long long>(blockIdx.y) * columns + column] = sum.v[0];
}
