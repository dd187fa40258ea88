// Philox4x32-10: 128 random bits from a counter and a key, as core's `philox`.
// Source: Salmon et al., "Parallel random numbers: as easy as 1, 2, 3", SC 2011.
#pragma once

__device__ __forceinline__ uint4 philox(uint4 counter, uint2 key) {
#pragma unroll
  for (int round = 0; round < 10; round++) {
    const unsigned high_a = __umulhi(0xd2511f53u, counter.x);
    const unsigned low_a = 0xd2511f53u * counter.x;
    const unsigned high_b = __umulhi(0xcd9e8d57u, counter.z);
    const unsigned low_b = 0xcd9e8d57u * counter.z;
    counter = make_uint4(high_b ^ counter.y ^ key.x, low_b, high_a ^ counter.w ^ key.y, low_a);
    key.x += 0x9e3779b9u;
    key.y += 0xbb67ae85u;
  }
  return counter;
}
