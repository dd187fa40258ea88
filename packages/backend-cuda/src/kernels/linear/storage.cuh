// Values of packed weights. STORAGE is a number of `storageNumbers` in storage.ts.
//
// bf16, f16: two bytes a value. q8_0, q4_0, q4_1 (GGUF): blocks of 32 values of a row, which share a half-precision scale
// (q4_1: and a minimum); then a byte a value, or a half: the low halves are values 0 to 15, the high ones 16 to 31. Blocks
// start on even bytes, those of q4_1 on multiples of four.
#pragma once

#include "bf16.cuh"

#define BF16 1
#define Q8_0 2
#define Q4_0 3
#define Q4_1 4
#define F16 5

#define BLOCK_VALUES 32

typedef const unsigned char* __restrict__ PackedWeight;

__device__ __forceinline__ unsigned short_at(PackedWeight place) {
  return *reinterpret_cast<const unsigned short*>(place);
}

__device__ __forceinline__ float half_to_float(unsigned bits) {
  float value;
  asm("cvt.f32.f16 %0, %1;" : "=f"(value) : "h"(static_cast<unsigned short>(bits)));
  return value;
}

__device__ __forceinline__ float bf16_to_float(unsigned bits) { return __uint_as_float(bits << 16); }

#if STORAGE == BF16 || STORAGE == F16

__device__ __forceinline__ float two_byte_value(unsigned bits) {
#if STORAGE == BF16
  return bf16_to_float(bits);
#else
  return half_to_float(bits);
#endif
}

// N values from `at` of a row; 0 beyond its `length`. N is a multiple of four.
template <int N>
__device__ __forceinline__ Pack<N> values_of_row(PackedWeight weight, long long row, int at, int length) {
  Pack<N> values = {};
  PackedWeight place = weight + (row * length + at) * 2;
  if (length % 4 == 0 && at + N <= length) {
#pragma unroll
    for (int i = 0; i < N; i += 4) {
      const uint2 four = *reinterpret_cast<const uint2*>(place + i * 2);
      values.v[i] = two_byte_value(four.x & 0xffffu);
      values.v[i + 1] = two_byte_value(four.x >> 16);
      values.v[i + 2] = two_byte_value(four.y & 0xffffu);
      values.v[i + 3] = two_byte_value(four.y >> 16);
    }
  } else {
#pragma unroll
    for (int i = 0; i < N; i++) {
      if (at + i < length) values.v[i] = two_byte_value(short_at(place + i * 2));
    }
  }
  return values;
}

// Four values of block `block` of a row, one of eight groups, and where in the block they are.
__device__ __forceinline__ Pack<4> four_of_block(PackedWeight weight, long long row, int block, int group,
                                                 int length) {
  return values_of_row<4>(weight, row, block * BLOCK_VALUES + group * 4, length);
}
__device__ __forceinline__ int place_in_block(int group, int i) { return group * 4 + i; }

#else

#if STORAGE == Q8_0
#define BLOCK_BYTES 34
#define LEVELS_AT 2
#elif STORAGE == Q4_0
#define BLOCK_BYTES 18
#define LEVELS_AT 2
#else
#define BLOCK_BYTES 20
#define LEVELS_AT 4
#endif

__device__ __forceinline__ PackedWeight block_at(PackedWeight weight, long long row, int block, int length) {
  return weight + (row * (length / BLOCK_VALUES) + block) * BLOCK_BYTES;
}

// The value of a level, which q8_0 has as a signed byte and the others as four bits.
struct Scale {
  float factor;
  float minimum;
};
__device__ __forceinline__ Scale scale_of(PackedWeight block) {
  Scale scale = {half_to_float(short_at(block)), 0.0f};
#if STORAGE == Q4_1
  scale.minimum = half_to_float(short_at(block + 2));
#endif
  return scale;
}
__device__ __forceinline__ float value_of(unsigned level, const Scale& scale) {
#if STORAGE == Q8_0
  return scale.factor * static_cast<float>(static_cast<int>(level << 24) >> 24);
#elif STORAGE == Q4_0
  return scale.factor * (static_cast<float>(level & 15u) - 8.0f);
#else
  return scale.factor * static_cast<float>(level & 15u) + scale.minimum;
#endif
}

// 16 values from `at`, a multiple of 16, of a row; 0 beyond its `length`.
template <int N>
__device__ __forceinline__ Pack<N> values_of_row(PackedWeight weight, long long row, int at, int length) {
  static_assert(N == BLOCK_VALUES / 2, "half a block at a time");
  Pack<N> values = {};
  if (at >= length) return values;
  PackedWeight block = block_at(weight, row, at / BLOCK_VALUES, length);
  const Scale scale = scale_of(block);
  const bool high = at % BLOCK_VALUES != 0;
#if STORAGE == Q8_0
  PackedWeight levels = block + LEVELS_AT + (high ? N : 0);
#pragma unroll
  for (int i = 0; i < N; i += 2) {
    const unsigned two = short_at(levels + i);
    values.v[i] = value_of(two, scale);
    values.v[i + 1] = value_of(two >> 8, scale);
  }
#else
  PackedWeight levels = block + LEVELS_AT;
#pragma unroll
  for (int i = 0; i < N; i += 2) {
    const unsigned two = short_at(levels + i) >> (high ? 4 : 0);
    values.v[i] = value_of(two, scale);
    values.v[i + 1] = value_of(two >> 8, scale);
  }
#endif
  return values;
}

// Four values of block `block` of a row, one of eight groups, and where in the block they are.
__device__ __forceinline__ Pack<4> four_of_block(PackedWeight weight, long long row, int block, int group,
                                                 int length) {
  PackedWeight start = block_at(weight, row, block, length);
  const Scale scale = scale_of(start);
#if STORAGE == Q8_0
  PackedWeight levels = start + LEVELS_AT + group * 4;
  const unsigned two = short_at(levels);
  const unsigned next = short_at(levels + 2);
  return {{value_of(two, scale), value_of(two >> 8, scale), value_of(next, scale), value_of(next >> 8, scale)}};
#else
  const unsigned two = short_at(start + LEVELS_AT + group * 2);
  return {{value_of(two, scale), value_of(two >> 8, scale), value_of(two >> 4, scale), value_of(two >> 12, scale)}};
#endif
}
__device__ __forceinline__ int place_in_block(int group, int i) {
#if STORAGE == Q8_0
  return group * 4 + i;
#else
  return group * 2 + i % 2 + (i >= 2 ? BLOCK_VALUES / 2 : 0);
#endif
}

#endif

// Values of a row that a thread decodes at once: half a block of the packed formats.
#define DECODED 16

// Decodes DECODED values of row `row` of W from column `first` to `to`, the start of a row.
template <typename T>
__device__ __forceinline__ void decode_values(PackedWeight weight, long long row, int first, int width, T* to) {
  if (first >= width) return;
  const Pack<DECODED> values = values_of_row<DECODED>(weight, row, first, width);
  if (width % DECODED == 0) {
#pragma unroll
    for (int i = 0; i < DECODED; i += 4) {
      store<4>(to + first + i, Pack<4>{{values.v[i], values.v[i + 1], values.v[i + 2], values.v[i + 3]}});
    }
  } else {
#pragma unroll
    for (int i = 0; i < DECODED; i++) {
      if (first + i < width) to[first + i] = values.v[i];
    }
  }
}
