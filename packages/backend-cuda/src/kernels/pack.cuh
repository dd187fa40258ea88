// N neighbouring floats that a thread loads and stores at once: 16 bytes where N is 4.
#pragma once

template <int N>
struct Pack {
  float v[N];
};

// `from` must be aligned to N floats.
template <int N>
__device__ __forceinline__ Pack<N> load(const float* __restrict__ from) {
  Pack<N> pack;
  if constexpr (N == 4) {
    const float4 four = *reinterpret_cast<const float4*>(from);
    pack.v[0] = four.x;
    pack.v[1] = four.y;
    pack.v[2] = four.z;
    pack.v[3] = four.w;
  } else {
#pragma unroll
    for (int i = 0; i < N; i++) pack.v[i] = from[i];
  }
  return pack;
}

template <int N>
__device__ __forceinline__ void store(float* to, const Pack<N>& pack) {
  if constexpr (N == 4) {
    *reinterpret_cast<float4*>(to) = make_float4(pack.v[0], pack.v[1], pack.v[2], pack.v[3]);
  } else {
#pragma unroll
    for (int i = 0; i < N; i++) to[i] = pack.v[i];
  }
}

// First of the four elements of this thread, in a grid of one-dimensional blocks over a whole tensor.
__device__ __forceinline__ long long first_of_four() {
  return (static_cast<long long>(blockIdx.x) * blockDim.x + threadIdx.x) * 4;
}
