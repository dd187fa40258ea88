// Conversions and integer arithmetic as tfjs has them: values go through JavaScript numbers into typed arrays.

// A float as the 32-bit integer that JavaScript makes of it: towards zero, modulo 2^32; 0 for NaN and infinities.
__device__ __forceinline__ int to_int32(float x) {
  return fabsf(x) < 9223372036854775808.0f ? (int)(long long)x : 0;
}

// Quotient towards minus infinity; 0 where the divisor is 0.
__device__ __forceinline__ int floor_divide(int a, int b) {
  if (b == 0) return 0;
  if (b == -1) return (int)(0u - (unsigned)a);
  const int quotient = a / b;
  return quotient - (a % b != 0 && (a < 0) != (b < 0));
}

// Quotient towards minus infinity. A division may round up to an integer, whose product with the divisor then is too far.
__device__ __forceinline__ float floor_quotient(float a, float b) {
  const float quotient = floorf(a / b);
  const float rest = fmaf(-quotient, b, a);
  return quotient - (rest < 0.0f ? b > 0.0f : rest > 0.0f && b < 0.0f);
}

// Remainder with the sign of the divisor; 0 where that is 0.
__device__ __forceinline__ int floor_modulo(int a, int b) {
  if (b == 0 || b == -1) return 0;
  const int rest = a % b;
  return rest != 0 && (rest < 0) != (b < 0) ? rest + b : rest;
}

// Remainder with the sign of the divisor.
__device__ __forceinline__ float floor_modulo(float a, float b) {
  const float rest = fmodf(a, b);
  return rest != 0.0f && (rest < 0.0f) != (b < 0.0f) ? rest + b : rest;
}
