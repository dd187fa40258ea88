// One step of AdamW for any number of tensors in place: m' = b1 m + (1 - b1) g, v' = b2 v + (1 - b2) g^2,
// p' = p (1 - rate wd) - rate (m' / correction1) / (sqrt(v' / correction2) + epsilon), with g = gradient control[0].
//
// A block has 4096 elements of one tensor: see tensors.cuh, whose addresses are those of parameter, gradient, m and v. With
// control[1] = 0 nothing changes. MOMENTS chooses how m and v are stored; packed ones are rounded at random, as core's
// `packMoment`: every operation rounds to float32 as there, so that the levels are the same.
// Sources: arXiv:1711.05101, arXiv:2110.02861.
// Bytes: 28 a value (float32), 20 (bfloat16), 16 (int8). FLOPs: about 15 a value, and 30 for packed moments.
#include "pack.cuh"
#include "reduce.cuh"
#include "tensors.cuh"

#define FLOAT32 0
#define BFLOAT16 1
#define INT8 2

#define THREADS 256
// Blocks of an SM at a time: this bounds the registers of a thread to 64 or 80.
#if MOMENTS == INT8
#define RESIDENT 3
#else
#define RESIDENT 4
#endif

struct Settings {
  float beta1;
  float beta2;
  float rest1;
  float rest2;
  float correction1;
  float correction2;
  float epsilon;
};

struct Moments {
  float m;
  float v;
};

// Without fused operations: see above.
__device__ __forceinline__ Moments next(float gradient, Moments old, const Settings& by) {
  const float square = __fmul_rn(gradient, gradient);
  return {__fadd_rn(__fmul_rn(old.m, by.beta1), __fmul_rn(gradient, by.rest1)),
          __fadd_rn(__fmul_rn(old.v, by.beta2), __fmul_rn(square, by.rest2))};
}

__device__ __forceinline__ float moved(float parameter, Moments moments, const Settings& by, const Tensor& tensor) {
  const float root = __fadd_rn(sqrtf(moments.v / by.correction2), by.epsilon);
  const float step = __fmul_rn(moments.m / by.correction1 / root, tensor.rate);
  return __fsub_rn(__fmul_rn(parameter, tensor.decay), step);
}

#if MOMENTS != FLOAT32

// 16 random bits of an element in a step in the high half for the first moment, and in the low one for the second.
__device__ __forceinline__ unsigned noise(unsigned element, unsigned step) {
  unsigned x = element * 0x9e3779b1u + step * 0x85ebca77u;
  x ^= x >> 16;
  x *= 0x7feb352du;
  x ^= x >> 15;
  x *= 0x846ca68bu;
  return x ^ x >> 16;
}

#endif

#if MOMENTS == FLOAT32

template <int N>
__device__ __forceinline__ void update(const Tensor& tensor, long long i, float scale, const Settings& by) {
  float* parameter = reinterpret_cast<float*>(tensor.addresses[0]) + i;
  float* m = reinterpret_cast<float*>(tensor.addresses[2]) + i;
  float* v = reinterpret_cast<float*>(tensor.addresses[3]) + i;
  const Pack<N> gradients = load<N>(reinterpret_cast<const float*>(tensor.addresses[1]) + i);
  Pack<N> parameters = load<N>(parameter);
  Pack<N> ms = load<N>(m);
  Pack<N> vs = load<N>(v);
#pragma unroll
  for (int j = 0; j < N; j++) {
    const Moments moments = next(__fmul_rn(gradients.v[j], scale), {ms.v[j], vs.v[j]}, by);
    ms.v[j] = moments.m;
    vs.v[j] = moments.v;
    parameters.v[j] = moved(parameters.v[j], moments, by, tensor);
  }
  store<N>(m, ms);
  store<N>(v, vs);
  store<N>(parameter, parameters);
}

__device__ __forceinline__ void update_chunk(const Tensor& tensor, const Chunk& chunk, float scale, unsigned,
                                             const Settings& by) {
#pragma unroll 1
  for (long long i = chunk.first + threadIdx.x * 4; i < chunk.last; i += THREADS * 4) {
    if (i + 4 <= chunk.last) {
      update<4>(tensor, i, scale, by);
    } else {
      for (long long at = i; at < chunk.last; at++) update<1>(tensor, at, scale, by);
    }
  }
}

#elif MOMENTS == BFLOAT16

// Two elements, which share a word of each moment; the second may be beyond the end.
__device__ __forceinline__ void update_pair(const Tensor& tensor, long long i, long long last, float scale,
                                            unsigned step, const Settings& by) {
  float* parameter = reinterpret_cast<float*>(tensor.addresses[0]);
  const float* __restrict__ gradient = reinterpret_cast<const float*>(tensor.addresses[1]);
  unsigned* m = reinterpret_cast<unsigned*>(tensor.addresses[2]) + i / 2;
  unsigned* v = reinterpret_cast<unsigned*>(tensor.addresses[3]) + i / 2;
  const unsigned old_m = *m;
  const unsigned old_v = *v;
  unsigned new_m = 0;
  unsigned new_v = 0;
#pragma unroll
  for (int half = 0; half < 2; half++) {
    const long long at = i + half;
    if (at >= last) continue;
    const int shift = half * 16;
    const Moments old = {__uint_as_float(old_m >> shift << 16), __uint_as_float(old_v >> shift << 16)};
    const Moments moments = next(__fmul_rn(gradient[at], scale), old, by);
    const unsigned random = noise(static_cast<unsigned>(at), step);
    new_m |= (__float_as_uint(moments.m) + (random >> 16)) >> 16 << shift;
    new_v |= (__float_as_uint(moments.v) + (random & 0xffffu)) >> 16 << shift;
    parameter[at] = moved(parameter[at], moments, by, tensor);
  }
  *m = new_m;
  *v = new_v;
}

__device__ __forceinline__ void update_chunk(const Tensor& tensor, const Chunk& chunk, float scale, unsigned step,
                                             const Settings& by) {
  for (long long i = chunk.first + threadIdx.x * 2; i < chunk.last; i += THREADS * 2) {
    update_pair(tensor, i, chunk.last, scale, step, by);
  }
}

#else

// Levels are fourth powers: 127 of them and a sign for m, 255 for v.
#define M_LEVELS 127.0f
#define V_LEVELS 255.0f
#define BLOCK_VALUES 256
#define BLOCK_WORDS 65
// Elements of a lane: two words of a block.
#define LANE_VALUES 8

// `inverse` is 1 / levels, rounded.
__device__ __forceinline__ float level_of(float code, float inverse) {
  const float root = __fmul_rn(code, inverse);
  const float square = __fmul_rn(root, root);
  return __fmul_rn(square, square);
}

// The level below or above a value, so that the mean is the value.
__device__ __forceinline__ unsigned code_of(float value, float scale, unsigned random, float levels) {
  const float inverse = 1.0f / levels;
  const float size = scale > 0.0f ? fabsf(value) / scale : 0.0f;
  const float below = truncf(__fmul_rn(sqrtf(sqrtf(size)), levels));
  const float low = level_of(below, inverse);
  const float gap = __fsub_rn(level_of(below + 1.0f, inverse), low);
  const bool up = __fmul_rn(static_cast<float>(random) * 0x1p-16f, gap) < __fsub_rn(size, low);
  return static_cast<unsigned>(below) + (up ? 1u : 0u);
}

// Rounded up to bfloat16: no value is above 1 then.
__device__ __forceinline__ float scale_above(float largest) {
  return __uint_as_float((__float_as_uint(largest) + 0xffffu) & 0xffff0000u);
}

__device__ __forceinline__ Moments unpacked(unsigned m_code, unsigned v_code, const Moments& scales) {
  const int code = static_cast<int>(m_code << 24) >> 24;
  const float size = __fmul_rn(level_of(fabsf(static_cast<float>(code)), 1.0f / M_LEVELS), scales.m);
  const float v = __fmul_rn(level_of(static_cast<float>(v_code & 255u), 1.0f / V_LEVELS), scales.v);
  return {code < 0 ? -size : size, v};
}

// What becomes of a moment's byte; above 0 a second moment never becomes 0.
__device__ __forceinline__ unsigned m_byte(float value, float scale, unsigned random) {
  const unsigned code = code_of(value, scale, random, M_LEVELS);
  return (value < 0.0f ? 0u - code : code) & 255u;
}
__device__ __forceinline__ unsigned v_byte(float value, float scale, unsigned random) {
  return max(code_of(value, scale, random, V_LEVELS), value > 0.0f ? 1u : 0u);
}

// A warp has a block of 256 elements; words of lanes without elements do not exist.
__device__ __forceinline__ void update_block(const Tensor& tensor, long long block, float scale, unsigned step,
                                             const Settings& by) {
  float* parameter = reinterpret_cast<float*>(tensor.addresses[0]);
  const float* __restrict__ gradient = reinterpret_cast<const float*>(tensor.addresses[1]);
  unsigned* m = reinterpret_cast<unsigned*>(tensor.addresses[2]) + block * BLOCK_WORDS;
  unsigned* v = reinterpret_cast<unsigned*>(tensor.addresses[3]) + block * BLOCK_WORDS;
  const int lane = threadIdx.x % 32;
  const long long first = block * BLOCK_VALUES + lane * LANE_VALUES;
  const int mine = static_cast<int>(max(0ll, min(static_cast<long long>(LANE_VALUES), tensor.count - first)));
  const int word = 1 + lane * 2;
  const Moments scales = {__uint_as_float(m[0]), __uint_as_float(v[0])};
  Moments moments[LANE_VALUES];
  float largest_m = 0.0f;
  float largest_v = 0.0f;
  unsigned old_m = 0;
  unsigned old_v = 0;
#pragma unroll
  for (int i = 0; i < LANE_VALUES; i++) {
    if (i >= mine) continue;
    if (i % 4 == 0) {
      old_m = m[word + i / 4];
      old_v = v[word + i / 4];
    }
    const int shift = i % 4 * 8;
    moments[i] = next(__fmul_rn(gradient[first + i], scale), unpacked(old_m >> shift, old_v >> shift, scales), by);
    largest_m = fmaxf(largest_m, fabsf(moments[i].m));
    largest_v = fmaxf(largest_v, moments[i].v);
    parameter[first + i] = moved(parameter[first + i], moments[i], by, tensor);
  }
  const Moments tops = {scale_above(warp_max(largest_m)), scale_above(warp_max(largest_v))};
  unsigned new_m = 0;
  unsigned new_v = 0;
#pragma unroll
  for (int i = 0; i < LANE_VALUES; i++) {
    if (i < mine) {
      const int shift = i % 4 * 8;
      const unsigned random = noise(static_cast<unsigned>(first + i), step);
      new_m |= m_byte(moments[i].m, tops.m, random >> 16) << shift;
      new_v |= v_byte(moments[i].v, tops.v, random & 0xffffu) << shift;
    }
    if (i % 4 == 3) {
      if (i - 3 < mine) {
        m[word + i / 4] = new_m;
        v[word + i / 4] = new_v;
      }
      new_m = 0;
      new_v = 0;
    }
  }
  if (lane == 0) {
    m[0] = __float_as_uint(tops.m);
    v[0] = __float_as_uint(tops.v);
  }
}

__device__ __forceinline__ void update_chunk(const Tensor& tensor, const Chunk& chunk, float scale, unsigned step,
                                             const Settings& by) {
  const long long end = (chunk.last + BLOCK_VALUES - 1) / BLOCK_VALUES;
  for (long long block = chunk.first / BLOCK_VALUES + threadIdx.x / 32; block < end; block += THREADS / 32) {
    update_block(tensor, block, scale, step, by);
  }
}

#endif

extern "C" __global__ void __launch_bounds__(THREADS, RESIDENT)
    adamw(const Tensor* __restrict__ table, const float* __restrict__ control, int tensors, unsigned step, float beta1,
          float beta2, float rest1, float rest2, float correction1, float correction2, float epsilon) {
  if (!(control[1] > 0.0f)) return;
  const Chunk chunk = chunk_of_block(table, tensors, blockIdx.x);
  const Settings by = {beta1, beta2, rest1, rest2, correction1, correction2, epsilon};
  update_chunk(table[chunk.tensor], chunk, control[0], step, by);
}
