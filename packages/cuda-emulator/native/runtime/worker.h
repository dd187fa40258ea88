// Runs blocks, one after the other, on one host thread.
#pragma once
#include <memory>
#include <string>
#include <vector>

#include "fiber.h"
#include "launch.h"
#include "race-check.h"

namespace emulator {

class Worker;

// A copy to shared memory that nobody waited for yet.
struct Copy {
  u64 to, from;
  u32 bytes, read;
  u32 group;
};

// A thread of the block that runs, and its stack.
struct Lane : Thread {
  Worker* worker;
  Fiber fiber;
  u32 index;
  std::vector<Copy> copies;
  u32 group;
};

// Where lanes of one mask meet.
struct Slot {
  static constexpr u32 MOST_BYTES = 64;

  u32 mask = 0, arrived = 0, unread = 0, turn = 0, bytes = 0;
  Meeting meeting = Meeting::sync;
  // One is read while the next is filled.
  alignas(16) u8 values[2][32 * MOST_BYTES];
};

struct Warp {
  u32 alive = 0, ready = 0;
  u32 syncs = 0;
  Slot slots[4];
};

struct Barrier {
  u32 arrived = 0, yes = 0, needed = 0;
  std::vector<Lane*> waiting;
  // What the last ones to leave read.
  Counted counted{};
};

class Worker {
 public:
  Worker();

  Fault run(const Launch& launch, u64 block);

 private:
  friend struct Services;

  void prepare(const Launch& launch, u64 block);
  void set_thread(Lane& lane, u32 index);
  void run_alone();
  void run_together();
  bool run_warps();
  static void enter_alone();
  static void enter_together();
  void finish(Lane& lane);

  // To another lane of the warp that can go on, else to the scheduler.
  void yield(Lane& lane);
  void resume(Lane& lane);
  [[noreturn]] void fail(Lane& lane, FaultKind kind, const std::string& what);
  void deadlock();

  void barrier(Lane& lane, u32 id, u32 threads, bool waits, bool predicate);
  void open_barrier(Barrier& barrier);
  const u8* meet(Lane& lane, Meeting meeting, u32 mask, const void* value, u32 bytes);
  Slot& slot_of(Lane& lane, u32 mask);
  void complete(Warp& warp, Slot& slot);
  void check(Lane& lane, u64 address, u32 bytes, Space space, Access access);
  void check_shared(Lane& lane, u64 address, u32 bytes, Access access);
  void finish_copies(Lane& lane, u32 pending);

  const Launch* launch_ = nullptr;
  u32 count_ = 0, alive_ = 0, barriers_ = 0;
  u32 position_[3];
  std::vector<std::unique_ptr<Lane>> lanes_;
  std::unique_ptr<Warp[]> warps_;
  Barrier named_[16];
  std::unique_ptr<u8, void (*)(void*)> shared_;
  u32 shared_capacity_ = 0, shared_bytes_ = 0;
  RaceCheck races_;
  Range recent_[RECENT];
  Context scheduler_;
  Fault fault_;
  u64 random_ = 0;
};

}  // namespace emulator
