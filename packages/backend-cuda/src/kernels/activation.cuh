// activate(x) and slope(x): the value and the derivative of the activation that ACTIVATION names.
// GELU: arXiv:1606.08415, SiLU: arXiv:1702.03118. Libraries' own erff, tanhf and expf are good to 2 units in the last place.
#pragma once

#define ACTIVATION_none 0
#define ACTIVATION_relu 1
#define ACTIVATION_silu 2
#define ACTIVATION_quick_gelu 3
#define ACTIVATION_gelu_tanh 4
#define ACTIVATION_gelu_erf 5
#define ACTIVATION_KIND_OF(name) ACTIVATION_##name
#define ACTIVATION_KIND(name) ACTIVATION_KIND_OF(name)

__device__ __forceinline__ float sigmoid(float x) { return 1.0f / (1.0f + expf(-x)); }

// Φ(x); erfc keeps the digits of the lower tail.
__device__ __forceinline__ float normal_cdf(float x) { return 0.5f * erfcf(x * -0.7071067812f); }

__device__ __forceinline__ float tanh_argument(float x) {
  return 0.7978845608f * (x + 0.044715f * x * x * x);
}

__device__ __forceinline__ float activate(float x) {
#if ACTIVATION_KIND(ACTIVATION) == ACTIVATION_none
  return x;
#elif ACTIVATION_KIND(ACTIVATION) == ACTIVATION_relu
  return fmaxf(x, 0.0f);
#elif ACTIVATION_KIND(ACTIVATION) == ACTIVATION_silu
  return x * sigmoid(x);
#elif ACTIVATION_KIND(ACTIVATION) == ACTIVATION_quick_gelu
  return x * sigmoid(1.702f * x);
#elif ACTIVATION_KIND(ACTIVATION) == ACTIVATION_gelu_tanh
  return 0.5f * x * (1.0f + tanhf(tanh_argument(x)));
#elif ACTIVATION_KIND(ACTIVATION) == ACTIVATION_gelu_erf
  return x * normal_cdf(x);
#else
#error "unknown ACTIVATION"
#endif
}

__device__ __forceinline__ float slope(float x) {
#if ACTIVATION_KIND(ACTIVATION) == ACTIVATION_none
  return 1.0f;
#elif ACTIVATION_KIND(ACTIVATION) == ACTIVATION_relu
  return x > 0.0f ? 1.0f : 0.0f;
#elif ACTIVATION_KIND(ACTIVATION) == ACTIVATION_silu
  float s = sigmoid(x);
  return s + x * s * (1.0f - s);
#elif ACTIVATION_KIND(ACTIVATION) == ACTIVATION_quick_gelu
  float s = sigmoid(1.702f * x);
  return s + 1.702f * x * s * (1.0f - s);
#elif ACTIVATION_KIND(ACTIVATION) == ACTIVATION_gelu_tanh
  float t = tanhf(tanh_argument(x));
  float inner = 0.7978845608f * (1.0f + 0.134145f * x * x);
  return 0.5f * (1.0f + t + x * (1.0f - t * t) * inner);
#elif ACTIVATION_KIND(ACTIVATION) == ACTIVATION_gelu_erf
  return normal_cdf(x) + x * 0.3989422804f * expf(-0.5f * x * x);
#endif
}
