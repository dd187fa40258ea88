// Arithmetic of f32 and f64.
namespace ptx {

PTX_INLINE bool is_ordered(double a, double b) { return a == a && b == b; }
template <class T> PTX_INLINE bool is_ordered(T, T) { return true; }
PTX_INLINE bool is_ordered(float a, float b) { return a == a && b == b; }

PTX_INLINE float flushed(float a) { return std::fabs(a) < 0x1p-126f ? std::copysign(0.0f, a) : a; }
PTX_INLINE double flushed(double a) { return a; }
// NaN becomes 0.
template <class T> PTX_INLINE T saturated(T a) { return a > 0 ? (a < 1 ? a : (T)1) : (T)0; }
// NaN stays.
template <class T> PTX_INLINE T rectified(T a) { return a < 0 ? (T)0 : a; }

PTX_INLINE float fused(float a, float b, float c) { return __builtin_fmaf(a, b, c); }
PTX_INLINE double fused(double a, double b, double c) { return __builtin_fma(a, b, c); }
PTX_INLINE float absolute(float a) { return std::fabs(a); }
PTX_INLINE double absolute(double a) { return std::fabs(a); }

// A number wins over NaN, and -0 is less than 0.
template <class T> PTX_INLINE T least_number(T a, T b) {
  if (a != a) return b;
  if (b != b) return a;
  if (a == b) return std::signbit(a) ? a : b;
  return a < b ? a : b;
}
template <class T> PTX_INLINE T greatest_number(T a, T b) {
  if (a != a) return b;
  if (b != b) return a;
  if (a == b) return std::signbit(a) ? b : a;
  return a > b ? a : b;
}
PTX_INLINE float least(float a, float b) { return least_number(a, b); }
PTX_INLINE double least(double a, double b) { return least_number(a, b); }
PTX_INLINE float greatest(float a, float b) { return greatest_number(a, b); }
PTX_INLINE double greatest(double a, double b) { return greatest_number(a, b); }
template <class T> PTX_INLINE T least_or_nan(T a, T b) { return is_ordered(a, b) ? least(a, b) : (T)NAN; }
template <class T> PTX_INLINE T greatest_or_nan(T a, T b) { return is_ordered(a, b) ? greatest(a, b) : (T)NAN; }

PTX_INLINE float square_root(float a) { return std::sqrt(a); }
PTX_INLINE double square_root(double a) { return std::sqrt(a); }
PTX_INLINE float reciprocal_root(float a) { return 1.0f / std::sqrt(a); }
PTX_INLINE double reciprocal_root(double a) { return 1.0 / std::sqrt(a); }
PTX_INLINE float sine(float a) { return std::sin(a); }
PTX_INLINE float cosine(float a) { return std::cos(a); }
PTX_INLINE float log_two(float a) { return std::log2(a); }
PTX_INLINE float exp_two(float a) { return std::exp2(a); }
PTX_INLINE double exp_two(double a) { return std::exp2(a); }
PTX_INLINE float hyperbolic_tangent(float a) { return std::tanh(a); }
PTX_INLINE double hyperbolic_tangent(double a) { return std::tanh(a); }
template <class T> PTX_INLINE T with_sign(T magnitude, T sign) { return std::copysign(magnitude, sign); }

template <class T> PTX_INLINE bool is_finite(T a) { return std::isfinite(a); }
template <class T> PTX_INLINE bool is_infinite(T a) { return std::isinf(a); }
template <class T> PTX_INLINE bool is_number(T a) { return a == a; }
template <class T> PTX_INLINE bool is_notanumber(T a) { return a != a; }
template <class T> PTX_INLINE bool is_normal(T a) { return std::isnormal(a); }
template <class T> PTX_INLINE bool is_subnormal(T a) { return a != 0 && std::isfinite(a) && !std::isnormal(a); }

template <class T> PTX_INLINE T rounded_nearest(T a) { return std::nearbyint(a); }
template <class T> PTX_INLINE T rounded_toward_zero(T a) { return std::trunc(a); }
template <class T> PTX_INLINE T rounded_down(T a) { return std::floor(a); }
template <class T> PTX_INLINE T rounded_up(T a) { return std::ceil(a); }

// The nearest value that T holds; NaN becomes 0.
template <class T> PTX_INLINE T integer_of(double a) {
  if (a != a) return 0;
  if (a <= (double)std::numeric_limits<T>::min()) return std::numeric_limits<T>::min();
  if (a >= (double)std::numeric_limits<T>::max()) return std::numeric_limits<T>::max();
  return (T)a;
}

// Floats in a direction of the sum `exact + rest`, where `rest` is less than half a unit of `exact`'s last place.
PTX_INLINE float float_below(double exact, double rest) {
  float near = (float)exact;
  bool above = (double)near > exact || ((double)near == exact && rest < 0);
  return above ? std::nextafter(near, -INFINITY) : near;
}
PTX_INLINE float float_above(double exact, double rest) { return -float_below(-exact, -rest); }
PTX_INLINE float float_down(double a) { return a == a ? float_below(a, 0) : (float)a; }
PTX_INLINE float float_up(double a) { return a == a ? float_above(a, 0) : (float)a; }
PTX_INLINE float float_toward_zero(double a) { return a < 0 ? float_up(a) : float_down(a); }

// a b + c in two doubles: the product is exact, and what the sum loses is known.
struct ExactSum {
  double sum, rest;
};
PTX_INLINE ExactSum exact_sum(float a, float b, float c) {
  double product = (double)a * (double)b, sum = product + (double)c;
  double part = sum - product;
  return { sum, (product - (sum - part)) + ((double)c - part) };
}
PTX_INLINE float fused_down(float a, float b, float c) {
  auto [sum, rest] = exact_sum(a, b, c);
  return std::isfinite(sum) ? float_below(sum, rest) : (float)sum;
}
PTX_INLINE float fused_up(float a, float b, float c) {
  auto [sum, rest] = exact_sum(a, b, c);
  return std::isfinite(sum) ? float_above(sum, rest) : (float)sum;
}
PTX_INLINE float fused_toward_zero(float a, float b, float c) {
  auto [sum, rest] = exact_sum(a, b, c);
  if (!std::isfinite(sum)) return (float)sum;
  return sum < 0 || (sum == 0 && rest < 0) ? float_above(sum, rest) : float_below(sum, rest);
}

PTX_INLINE u32 tf32_of(float a) {
  u32 bits = bits_of(a);
  // NaN and infinities stay; ties go away from zero.
  return (bits & 0x7f800000) == 0x7f800000 ? bits : (bits + 0x1000) & ~0x1fffu;
}

}  // namespace ptx
