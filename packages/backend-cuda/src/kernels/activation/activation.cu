// Activations and gated activations, forward and backward: y = act(x), dx = dy act'(x); y = act(gate) up,
// dgate = dy up act'(gate), dup = dy act(gate).
//
// All arrays have `count` elements; ACTIVATION names the function. A thread has four neighbours.
// Bytes: 4 count for each array, or 2. FLOPs: about 20 count, which the memory hides.
#include "activation.cuh"
#include "bf16.cuh"

#define THREADS 256

template <int N>
__device__ __forceinline__ Pack<N> activated(Pack<N> x) {
#pragma unroll
  for (int i = 0; i < N; i++) x.v[i] = activate(x.v[i]);
  return x;
}

extern "C" __global__ void __launch_bounds__(THREADS)
    forward(const Stored* __restrict__ x, Stored* __restrict__ y, long long count) {
  long long i = first_of_four();
  if (i + 4 <= count) {
    store<4>(y + i, activated<4>(load<4>(x + i)));
  } else {
    for (; i < count; i++) y[i] = activate(x[i]);
  }
}

// Into the array itself: behind a product.
extern "C" __global__ void __launch_bounds__(THREADS) in_place(Stored* x, long long count) {
  long long i = first_of_four();
  if (i + 4 <= count) {
    store<4>(x + i, activated<4>(load<4>(x + i)));
  } else {
    for (; i < count; i++) x[i] = activate(x[i]);
  }
}

template <int N>
__device__ __forceinline__ void backward_at(const Stored* __restrict__ dy, const Stored* __restrict__ x, Stored* dx) {
  Pack<N> d = load<N>(dy);
  const Pack<N> value = load<N>(x);
#pragma unroll
  for (int i = 0; i < N; i++) d.v[i] *= slope(value.v[i]);
  store<N>(dx, d);
}

extern "C" __global__ void __launch_bounds__(THREADS)
    backward(const Stored* __restrict__ dy, const Stored* __restrict__ x, Stored* __restrict__ dx, long long count) {
  long long i = first_of_four();
  if (i + 4 <= count) {
    backward_at<4>(dy + i, x + i, dx + i);
  } else {
    for (; i < count; i++) backward_at<1>(dy + i, x + i, dx + i);
  }
}

template <int N>
__device__ __forceinline__ void gate_at(const Stored* __restrict__ gate, const Stored* __restrict__ up, Stored* y) {
  Pack<N> result = activated<N>(load<N>(gate));
  const Pack<N> factor = load<N>(up);
#pragma unroll
  for (int i = 0; i < N; i++) result.v[i] *= factor.v[i];
  store<N>(y, result);
}

extern "C" __global__ void __launch_bounds__(THREADS)
    gated(const Stored* __restrict__ gate, const Stored* __restrict__ up, Stored* __restrict__ y, long long count) {
  long long i = first_of_four();
  if (i + 4 <= count) {
    gate_at<4>(gate + i, up + i, y + i);
  } else {
    for (; i < count; i++) gate_at<1>(gate + i, up + i, y + i);
  }
}

template <int N>
__device__ __forceinline__ void gated_backward_at(const Stored* __restrict__ dy, const Stored* __restrict__ gate,
                                                  const Stored* __restrict__ up, Stored* dgate, Stored* dup) {
  const Pack<N> d = load<N>(dy);
  const Pack<N> g = load<N>(gate);
  const Pack<N> u = load<N>(up);
  Pack<N> of_gate;
  Pack<N> of_up;
#pragma unroll
  for (int i = 0; i < N; i++) {
    of_gate.v[i] = d.v[i] * u.v[i] * slope(g.v[i]);
    of_up.v[i] = d.v[i] * activate(g.v[i]);
  }
  store<N>(dgate, of_gate);
  store<N>(dup, of_up);
}

extern "C" __global__ void __launch_bounds__(THREADS)
    gated_backward(const Stored* __restrict__ dy, const Stored* __restrict__ gate, const Stored* __restrict__ up,
                   Stored* __restrict__ dgate, Stored* __restrict__ dup, long long count) {
  long long i = first_of_four();
  if (i + 4 <= count) {
    gated_backward_at<4>(dy + i, gate + i, up + i, dgate + i, dup + i);
  } else {
    for (; i < count; i++) gated_backward_at<1>(dy + i, gate + i, up + i, dgate + i, dup + i);
  }
}
