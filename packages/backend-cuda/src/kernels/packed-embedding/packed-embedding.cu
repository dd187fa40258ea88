// y[i] = table[ids[i]] for a table [height, width] that stays packed.
//
// y [rows, width]; ids [rows]. A block has a row and up to 2048 of its columns (blockIdx.y), a thread 16.
// Bytes: 4 or 2 rows width, and those of the rows of the table.
#include "storage.cuh"

#define THREADS 128

extern "C" __global__ void __launch_bounds__(THREADS)
    packed_embedding(PackedWeight table, const int* __restrict__ ids, Stored* __restrict__ y, int width) {
  const int first = (blockIdx.y * THREADS + threadIdx.x) * DECODED;
  decode_values(table, ids[blockIdx.x], first, width, y + static_cast<long long>(blockIdx.x) * width);
}
