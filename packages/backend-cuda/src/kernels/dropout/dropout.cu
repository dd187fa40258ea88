// y = x mask / (1 - p). Nothing is stored between calls: the mask is a function of the stream and the place.
//
// x, y have `count` elements. A thread has the eight values that a block of 128 random bits decides on: value e is dropped
// where its 16 bits are below `threshold` = 2^16 p. Bytes: 8 count, or 4. Integer operations: about 10 a value.
#include "bf16.cuh"
#include "philox.cuh"

extern "C" __global__ void __launch_bounds__(256)
    dropout(const Stored* __restrict__ x, Stored* __restrict__ y, long long count, unsigned threshold, float factor,
            unsigned key_low, unsigned key_high, unsigned stream_low, unsigned stream_high) {
  const long long block = static_cast<long long>(blockIdx.x) * blockDim.x + threadIdx.x;
  const long long first = block * 8;
  if (first >= count) return;
  const uint4 bits = philox(make_uint4(static_cast<unsigned>(block), 0u, stream_low, stream_high),
                            make_uint2(key_low, key_high));
  const unsigned words[4] = {bits.x, bits.y, bits.z, bits.w};
  float kept[8];
#pragma unroll
  for (int i = 0; i < 8; i++) {
    const unsigned drawn = words[i / 2] >> (16 * (i % 2)) & 0xffffu;
    kept[i] = drawn >= threshold ? factor : 0.0f;
  }
  if (first + 8 <= count) {
#pragma unroll
    for (int half = 0; half < 8; half += 4) {
      Pack<4> four = load<4>(x + first + half);
#pragma unroll
      for (int i = 0; i < 4; i++) four.v[i] *= kept[half + i];
      store<4>(y + first + half, four);
    }
  } else {
#pragma unroll
    for (int i = 0; i < 8; i++) {
      if (first + i < count) y[first + i] = x[first + i] * kept[i];
    }
  }
}
