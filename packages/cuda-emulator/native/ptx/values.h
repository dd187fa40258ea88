// Bits and the values that they stand for.
namespace ptx {

PTX_INLINE float float_of(u32 bits) { return __builtin_bit_cast(float, bits); }
PTX_INLINE double double_of(u64 bits) { return __builtin_bit_cast(double, bits); }
PTX_INLINE u32 bits_of(float value) { return __builtin_bit_cast(u32, value); }
PTX_INLINE u64 bits_of(double value) { return __builtin_bit_cast(u64, value); }

template <class T>
PTX_INLINE T read(const u8* from) {
  T value;
  memcpy(&value, from, sizeof(T));
  return value;
}

template <class T>
PTX_INLINE void write(u8* to, T value) {
  memcpy(to, &value, sizeof(T));
}

// b-types are unsigned.
using b16 = u16;
using b32 = u32;
using b64 = u64;

}  // namespace ptx
