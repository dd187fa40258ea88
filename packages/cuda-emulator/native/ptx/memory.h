// Accesses of memory. With EMULATOR_CHECK each is checked before it happens.
namespace ptx {

PTX_INLINE bool is_shared(Thread* t, u64 address) { return address - (u64)t->shared < t->shared_bytes; }
PTX_INLINE bool is_local(Thread* t, u64 address) { return address - t->stack_begin < t->stack_end - t->stack_begin; }
PTX_INLINE bool is_global(Thread* t, u64 address) { return !is_shared(t, address) && !is_local(t, address); }

template <u32 BYTES> PTX_INLINE u8* global_pointer(Thread* t, u64 address, Access access) {
#ifdef EMULATOR_CHECK
  const Range& known = t->recent[address >> 12 & (RECENT - 1)];
  bool inside = address >= known.begin && address + BYTES <= known.end && address % BYTES == 0;
  if (__builtin_expect(!inside, 0)) t->runtime->check(t, address, BYTES, Space::global, access);
#endif
  return (u8*)address;
}

template <u32 BYTES> PTX_INLINE u8* shared_pointer(Thread* t, u64 address, Access access) {
#ifdef EMULATOR_CHECK
  t->runtime->check(t, address, BYTES, Space::shared, access);
#endif
  return t->shared + address;
}

template <u32 BYTES> PTX_INLINE u8* generic_pointer(Thread* t, u64 address, Access access) {
  if (is_shared(t, address)) return shared_pointer<BYTES>(t, address - (u64)t->shared, access);
  return is_local(t, address) ? (u8*)address : global_pointer<BYTES>(t, address, access);
}

#define PTX_ACCESS(verb, access)                                                                                  \
  template <u32 BYTES> PTX_INLINE u8* verb##_global(Thread* t, u64 a) { return global_pointer<BYTES>(t, a, access); }    \
  template <u32 BYTES> PTX_INLINE u8* verb##_shared(Thread* t, u64 a) { return shared_pointer<BYTES>(t, a, access); }    \
  template <u32 BYTES> PTX_INLINE u8* verb##_generic(Thread* t, u64 a) { return generic_pointer<BYTES>(t, a, access); }  \
  template <u32 BYTES> PTX_INLINE u8* verb##_thread(Thread*, u64 a) { return (u8*)a; }
PTX_ACCESS(reading, Access::load)
PTX_ACCESS(writing, Access::store)
PTX_ACCESS(sharing, Access::atomic)
#undef PTX_ACCESS

}  // namespace ptx
