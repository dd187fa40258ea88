// What translated kernels and the runtime know of each other.
#pragma once
#include <cstddef>
#include <cstdint>

namespace ptx {

using u8 = uint8_t;
using u16 = uint16_t;
using u32 = uint32_t;
using u64 = uint64_t;
using s8 = int8_t;
using s16 = int16_t;
using s32 = int32_t;
using s64 = int64_t;

struct Thread;

enum class Space : u32 { global, shared };
enum class Access : u32 { load, store, atomic };

// Which instruction lanes meet at: those of one mask must meet at the same.
enum class Meeting : u32 { sync, shuffle, vote, match, reduce, multiply, tiles };

// Threads whose predicate was true, of those that came.
struct Counted {
  u32 yes, all;
};

// Memory that is known to be allocated.
struct Range {
  u64 begin, end;
};

// What the runtime does for a kernel.
struct Runtime {
  // 0 threads are those of the block. Without `waits` the thread only arrives.
  void (*barrier)(Thread*, u32 id, u32 threads, bool waits);
  Counted (*barrier_count)(Thread*, u32 id, u32 threads, bool predicate);
  void (*sync_warp)(Thread*, u32 mask);
  // The values of all lanes of the mask, `bytes` each, by lane. They hold until the lane meets the others again.
  const u8* (*meet)(Thread*, Meeting, u32 mask, const void* value, u32 bytes);
  // Fails the launch unless the access is allowed.
  void (*check)(Thread*, u64 address, u32 bytes, Space, Access);
  void (*copy_async)(Thread*, u64 to, u64 from, u32 bytes, u32 read);
  void (*commit_copies)(Thread*);
  void (*wait_copies)(Thread*, u32 pending);
  // Do not return.
  void (*trap)(Thread*, const char* why);
  void (*exit)(Thread*);
};

constexpr u32 RECENT = 16;

// A CUDA thread. Shared addresses are offsets from `shared`.
struct Thread {
  u32 tid[3], ntid[3], ctaid[3], nctaid[3];
  u32 lane, warp;
  u8* shared;
  u32 shared_bytes, dynamic_offset;
  const u8* parameters;
  const Runtime* runtime;
  // Allocations that were used last, RECENT of them.
  Range* recent;
  // Where local memory is.
  u64 stack_begin, stack_end;
};

struct Kernel {
  const char* name;
  void (*run)(Thread*);
  u32 parameter_count;
  const u32* parameter_offsets;
  const u32* parameter_sizes;
  u32 parameter_bytes;
  u32 static_shared, dynamic_offset, max_threads, local_bytes;
  // Whether its threads wait for each other.
  bool cooperative;
  // Whether its blocks may see what others wrote.
  bool shares;
};

// A table of a module.
struct Global {
  const char* name;
  void* address;
  u64 bytes;
};

}  // namespace ptx
