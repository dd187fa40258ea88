// 16-bit floats, alone and in pairs.
namespace ptx {

PTX_INLINE double f16_value(u16 bits) { return (double)__builtin_bit_cast(_Float16, bits); }
PTX_INLINE double bf16_value(u16 bits) { return (double)float_of((u32)bits << 16); }

PTX_INLINE u16 f16_of(float value) {
  return value == value ? __builtin_bit_cast(u16, (_Float16)value) : (u16)0x7fff;
}
// The last bit keeps whether something was lost, so that a second rounding is right.
PTX_INLINE float rounded_to_odd(double value) {
  float near = (float)value;
  if ((double)near == value || value != value) return near;
  u32 bits = bits_of(near);
  if (std::fabs((double)near) > std::fabs(value)) bits--;
  return float_of(bits | 1);
}
PTX_INLINE u16 f16_of(double value) { return f16_of(rounded_to_odd(value)); }
PTX_INLINE u16 bf16_of(float value) {
  u32 bits = bits_of(value);
  return value == value ? (u16)((bits + 0x7fff + (bits >> 16 & 1)) >> 16) : (u16)0x7fff;
}
PTX_INLINE u16 bf16_of(double value) { return bf16_of(rounded_to_odd(value)); }
PTX_INLINE u16 bf16_toward_zero(float value) { return value == value ? (u16)(bits_of(value) >> 16) : (u16)0x7fff; }

template <class F, class... A> PTX_INLINE u16 each_f16(F function, A... a) {
  return f16_of((double)function(f16_value((u16)a)...));
}
template <class F, class... A> PTX_INLINE u16 each_bf16(F function, A... a) {
  return bf16_of((double)function(bf16_value((u16)a)...));
}
template <class F, class... A> PTX_INLINE u32 each_f16x2(F function, A... a) {
  return (u32)each_f16(function, (u16)a...) | (u32)each_f16(function, (u16)(a >> 16)...) << 16;
}
template <class F, class... A> PTX_INLINE u32 each_bf16x2(F function, A... a) {
  return (u32)each_bf16(function, (u16)a...) | (u32)each_bf16(function, (u16)(a >> 16)...) << 16;
}

}  // namespace ptx
