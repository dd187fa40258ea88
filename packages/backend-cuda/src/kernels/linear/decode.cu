// A packed weight as floats or bfloat16, for products of so many rows that decoding costs little beside them.
//
// values [rows, width]. A block has a row and up to 2048 of its columns (blockIdx.y), a thread 16.
// Bytes: 4 or 2 rows width, and those of the packed weight.
#include "storage.cuh"

#define THREADS 128

extern "C" __global__ void __launch_bounds__(THREADS)
    decode(PackedWeight weight, Stored* __restrict__ values, int width) {
  const int first = (blockIdx.y * THREADS + threadIdx.x) * DECODED;
  decode_values(weight, blockIdx.x, first, width, values + static_cast<long long>(blockIdx.x) * width);
}
