#include "services.h"

#include <string>

#include "worker.h"

namespace emulator {

// Finds the worker of a thread.
struct Services {
  static Lane& lane(Thread* thread) { return *static_cast<Lane*>(thread); }
  static Worker& worker(Thread* thread) { return *lane(thread).worker; }

  static void barrier(Thread* t, u32 id, u32 threads, bool waits) {
    worker(t).barrier(lane(t), id, threads, waits, false);
  }
  static Counted barrier_count(Thread* t, u32 id, u32 threads, bool predicate) {
    worker(t).barrier(lane(t), id, threads, true, predicate);
    return worker(t).named_[id].counted;
  }
  static void sync_warp(Thread* t, u32 mask) { worker(t).meet(lane(t), Meeting::sync, mask, nullptr, 0); }
  static const u8* meet(Thread* t, Meeting meeting, u32 mask, const void* value, u32 bytes) {
    return worker(t).meet(lane(t), meeting, mask, value, bytes);
  }
  static void check(Thread* t, u64 address, u32 bytes, Space space, Access access) {
    worker(t).check(lane(t), address, bytes, space, access);
  }
  static void copy_async(Thread* t, u64 to, u64 from, u32 bytes, u32 read) {
    Worker& own = worker(t);
    if (own.launch_->check) {
      own.check(lane(t), to, bytes, Space::shared, Access::store);
      if (read > 0) own.check(lane(t), from, bytes, Space::global, Access::load);
    }
    lane(t).copies.push_back({ to, from, bytes, read < bytes ? read : bytes, lane(t).group });
  }
  static void commit_copies(Thread* t) { lane(t).group++; }
  static void wait_copies(Thread* t, u32 pending) { worker(t).finish_copies(lane(t), pending); }
  static void trap(Thread* t, const char* why) {
    worker(t).fail(lane(t), FaultKind::trap, std::string("trap: ") + why);
  }
  static void exit(Thread* t) { worker(t).finish(lane(t)); }
};

const ptx::Runtime SERVICES = {
  Services::barrier, Services::barrier_count, Services::sync_warp,   Services::meet, Services::check,
  Services::copy_async, Services::commit_copies, Services::wait_copies, Services::trap, Services::exit,
};

}  // namespace emulator
