// Integer arithmetic and bit fields.
namespace ptx {

using u128 = unsigned __int128;
using s128 = __int128;

template <class T> struct Wider;
template <> struct Wider<u16> { using type = u32; };
template <> struct Wider<s16> { using type = s32; };
template <> struct Wider<u32> { using type = u64; };
template <> struct Wider<s32> { using type = s64; };
template <> struct Wider<u64> { using type = u128; };
template <> struct Wider<s64> { using type = s128; };
template <class T> using Wide = typename Wider<T>::type;

template <class T> constexpr u32 WIDTH = sizeof(T) * 8;
template <class T> constexpr bool SIGNED = std::numeric_limits<T>::is_signed;

template <class T>
PTX_INLINE Wide<T> multiply_wide(T a, T b) {
  return (Wide<T>)a * (Wide<T>)b;
}
template <class T>
PTX_INLINE T multiply_hi(T a, T b) {
  return (T)(multiply_wide<T>(a, b) >> WIDTH<T>);
}

// Division by 0 has no trap: its quotient is all ones, as GPUs give it.
template <class T>
PTX_INLINE T quotient(T a, T b) {
  if (b == 0) return (T)-1;
  if (SIGNED<T> && b == (T)-1) return (T)(0 - (u64)a);
  return (T)(a / b);
}
template <class T>
PTX_INLINE T remainder(T a, T b) {
  if (b == 0) return a;
  if (SIGNED<T> && b == (T)-1) return 0;
  return (T)(a % b);
}

template <class T> PTX_INLINE T negated(T a) { return (T)(0 - (u64)a); }
template <class T> PTX_INLINE T absolute(T a) { return a < 0 ? (T)(0 - (u64)a) : a; }
template <class T> PTX_INLINE T least(T a, T b) { return b < a ? b : a; }
template <class T> PTX_INLINE T greatest(T a, T b) { return b > a ? b : a; }
template <class T> PTX_INLINE T absolute_difference(T a, T b, T c) {
  return (T)((u64)(a < b ? (u64)b - (u64)a : (u64)a - (u64)b) + (u64)c);
}

// The nearest value that T holds.
template <class T, class V>
PTX_INLINE T clamped(V value) {
  using W = s128;
  const W least = std::numeric_limits<T>::min(), most = std::numeric_limits<T>::max(), v = value;
  return (T)(v < least ? least : v > most ? most : v);
}

template <class T> PTX_INLINE u32 count_bits(T a) { return (u32)__builtin_popcountll(a); }
template <class T> PTX_INLINE u32 leading_zeros(T a) {
  return a == 0 ? WIDTH<T> : (u32)__builtin_clzll((u64)a) - (64 - WIDTH<T>);
}
template <class T> PTX_INLINE T reversed(T a) {
  T result = 0;
  for (u32 bit = 0; bit < WIDTH<T>; bit++) result |= (T)((a >> bit & 1) << (WIDTH<T> - 1 - bit));
  return result;
}
template <class T> PTX_INLINE u32 find_bit(T a, bool shift) {
  u64 bits = SIGNED<T> && a < 0 ? ~(u64)(s64)a : (u64)a;
  if (bits == 0) return ~0u;
  u32 at = 63 - (u32)__builtin_clzll(bits);
  return shift ? WIDTH<T> - 1 - at : at;
}

// Shifts by the width or more give what a long shift would.
template <class T> PTX_INLINE T shift_left(T a, u32 by) { return by >= WIDTH<T> ? 0 : (T)(a << by); }
template <class T> PTX_INLINE T shift_right(T a, u32 by) {
  return by >= WIDTH<T> ? (a < 0 ? (T)-1 : (T)0) : (T)(a >> by);
}
PTX_INLINE u32 clamped_shift(u32 by) { return by > 32 ? 32 : by; }
PTX_INLINE u32 funnel_left(u32 low, u32 high, u32 by) {
  return (u32)((((u64)high << 32 | low) << by) >> 32);
}
PTX_INLINE u32 funnel_right(u32 low, u32 high, u32 by) { return (u32)(((u64)high << 32 | low) >> by); }

PTX_INLINE u64 low_bits(u32 count) { return count >= 64 ? ~0ull : (1ull << count) - 1; }

// Bits [at, at + length). Beyond the top there are copies of the sign.
template <class T> PTX_INLINE T field(T a, u32 at, u32 length) {
  at &= 255;
  length &= 255;
  if (length == 0) return 0;
  u64 top = SIGNED<T> && a < 0 ? ~0ull : 0;
  u64 bits = at >= WIDTH<T> ? top : (u64)((s64)(SIGNED<T> ? (s64)a : (s64)(u64)a) >> at);
  if (!SIGNED<T>) bits = at >= WIDTH<T> ? 0 : (u64)a >> at;
  bits &= low_bits(length);
  u32 sign = at + length - 1 < WIDTH<T> ? length - 1 : (at >= WIDTH<T> ? 0 : WIDTH<T> - 1 - at);
  if (SIGNED<T> && (at >= WIDTH<T> ? top != 0 : (bits >> sign & 1))) bits |= ~low_bits(sign);
  return (T)bits;
}
template <class T> PTX_INLINE T insert_field(T from, T into, u32 at, u32 length) {
  at &= 255;
  length &= 255;
  if (at >= WIDTH<T>) return into;
  u64 mask = low_bits(length) << at;
  return (T)(((u64)into & ~mask) | ((u64)from << at & mask));
}

PTX_INLINE u32 permuted(u32 a, u32 b, u32 selector) {
  u64 bytes = (u64)b << 32 | a;
  u32 result = 0;
  for (u32 index = 0; index < 4; index++) {
    u32 choice = selector >> (4 * index);
    u8 byte = (u8)(bytes >> (8 * (choice & 7)));
    if (choice & 8) byte = (u8)((s8)byte >> 7);
    result |= (u32)byte << (8 * index);
  }
  return result;
}

PTX_INLINE u32 logic_of_three(u32 a, u32 b, u32 c, u32 table) {
  u32 result = 0;
  if (table & 0x01) result |= ~a & ~b & ~c;
  if (table & 0x02) result |= ~a & ~b & c;
  if (table & 0x04) result |= ~a & b & ~c;
  if (table & 0x08) result |= ~a & b & c;
  if (table & 0x10) result |= a & ~b & ~c;
  if (table & 0x20) result |= a & ~b & c;
  if (table & 0x40) result |= a & b & ~c;
  if (table & 0x80) result |= a & b & c;
  return result;
}

template <class A, class B, class C> PTX_INLINE C dot_bytes(u32 a, u32 b, C c) {
  u32 sum = (u32)c;
  for (u32 shift = 0; shift < 32; shift += 8) sum += (u32)((s32)(A)(a >> shift) * (s32)(B)(b >> shift));
  return (C)sum;
}

}  // namespace ptx
