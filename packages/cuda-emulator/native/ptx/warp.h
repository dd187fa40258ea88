// Exchange between the lanes of a warp.
namespace ptx {

struct Shuffled {
  u32 value;
  bool in_range;
};

PTX_INLINE Shuffled shuffled(const u32* values, Thread* t, u32 source, bool in_range) {
  return { values[in_range ? source & 31 : t->lane], in_range };
}
PTX_INLINE const u32* shuffle_values(Thread* t, u32 value, u32 mask) {
  return (const u32*)t->runtime->meet(t, Meeting::shuffle, mask, &value, 4);
}
// Bits 8 to 12 of `clamp` say which bits of the lane stay, its low five where segments end.
PTX_INLINE u32 segment(u32 clamp) { return clamp >> 8 & 31; }
PTX_INLINE s32 last_lane(u32 lane, u32 clamp) { return (lane & segment(clamp)) | (clamp & 31 & ~segment(clamp)); }

PTX_INLINE Shuffled shuffle_up(Thread* t, u32 value, u32 by, u32 clamp, u32 mask) {
  s32 source = (s32)t->lane - (s32)(by & 31);
  return shuffled(shuffle_values(t, value, mask), t, source, source >= last_lane(t->lane, clamp));
}
PTX_INLINE Shuffled shuffle_down(Thread* t, u32 value, u32 by, u32 clamp, u32 mask) {
  s32 source = (s32)t->lane + (s32)(by & 31);
  return shuffled(shuffle_values(t, value, mask), t, source, source <= last_lane(t->lane, clamp));
}
PTX_INLINE Shuffled shuffle_bfly(Thread* t, u32 value, u32 by, u32 clamp, u32 mask) {
  s32 source = (s32)(t->lane ^ (by & 31));
  return shuffled(shuffle_values(t, value, mask), t, source, source <= last_lane(t->lane, clamp));
}
PTX_INLINE Shuffled shuffle_idx(Thread* t, u32 value, u32 by, u32 clamp, u32 mask) {
  s32 source = (s32)((t->lane & segment(clamp)) | (by & 31 & ~segment(clamp)));
  return shuffled(shuffle_values(t, value, mask), t, source, source <= last_lane(t->lane, clamp));
}

PTX_INLINE u32 ballot(Thread* t, bool predicate, u32 mask) {
  u8 own = predicate;
  const u8* all = t->runtime->meet(t, Meeting::vote, mask, &own, 1);
  u32 result = 0;
  for (u32 lane = 0; lane < 32; lane++)
    if (mask >> lane & 1 && all[lane]) result |= 1u << lane;
  return result;
}

template <class T> PTX_INLINE u32 matching(Thread* t, T value, u32 mask) {
  const T* all = (const T*)t->runtime->meet(t, Meeting::match, mask, &value, sizeof(T));
  u32 result = 0;
  for (u32 lane = 0; lane < 32; lane++)
    if (mask >> lane & 1 && all[lane] == value) result |= 1u << lane;
  return result;
}

template <class T, class F> PTX_INLINE T reduced(Thread* t, T value, u32 mask, F combine) {
  const T* all = (const T*)t->runtime->meet(t, Meeting::reduce, mask, &value, sizeof(T));
  u32 first = (u32)__builtin_ctz(mask);
  T result = all[first];
  for (u32 lane = first + 1; lane < 32; lane++)
    if (mask >> lane & 1) result = combine(result, all[lane]);
  return result;
}

}  // namespace ptx
