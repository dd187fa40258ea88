// bfloat16 in memory: the upper half of a float. Reading is exact; writing rounds to the nearest, ties to even, and makes every
// NaN 0x7fff. `Stored` is what activations are kept in: float, or bf16 in the variant of a program that the host chooses.
#pragma once

#include "pack.cuh"

__device__ __forceinline__ unsigned bf16_bits(float value) {
#if __CUDA_ARCH__ >= 800
  unsigned short bits;
  asm("cvt.rn.bf16.f32 %0, %1;" : "=h"(bits) : "f"(value));
  return bits;
#else
  const unsigned bits = __float_as_uint(value);
  return value != value ? 0x7fffu : (bits + 0x7fffu + (bits >> 16 & 1u)) >> 16;
#endif
}

// Two neighbours, the first one in the lower half.
__device__ __forceinline__ unsigned bf16_pair(float first, float second) {
#if __CUDA_ARCH__ >= 800
  unsigned bits;
  asm("cvt.rn.bf16x2.f32 %0, %1, %2;" : "=r"(bits) : "f"(second), "f"(first));
  return bits;
#else
  return bf16_bits(first) | bf16_bits(second) << 16;
#endif
}

struct bf16 {
  unsigned short bits;
  bf16() = default;
  __device__ __forceinline__ bf16(float value) : bits(static_cast<unsigned short>(bf16_bits(value))) {}
  __device__ __forceinline__ operator float() const { return __uint_as_float(static_cast<unsigned>(bits) << 16); }
};

#ifndef STORED
#define STORED float
#endif
typedef STORED Stored;

// As for floats: `from` and `to` must be aligned to N elements.
template <int N>
__device__ __forceinline__ Pack<N> load(const bf16* __restrict__ from) {
  Pack<N> pack;
  if constexpr (N == 4) {
    const uint2 four = *reinterpret_cast<const uint2*>(from);
    pack.v[0] = __uint_as_float(four.x << 16);
    pack.v[1] = __uint_as_float(four.x & 0xffff0000u);
    pack.v[2] = __uint_as_float(four.y << 16);
    pack.v[3] = __uint_as_float(four.y & 0xffff0000u);
  } else {
#pragma unroll
    for (int i = 0; i < N; i++) pack.v[i] = from[i];
  }
  return pack;
}

template <int N>
__device__ __forceinline__ void store(bf16* to, const Pack<N>& pack) {
  if constexpr (N == 4) {
    *reinterpret_cast<uint2*>(to) = make_uint2(bf16_pair(pack.v[0], pack.v[1]), bf16_pair(pack.v[2], pack.v[3]));
  } else {
#pragma unroll
    for (int i = 0; i < N; i++) to[i] = pack.v[i];
  }
}
