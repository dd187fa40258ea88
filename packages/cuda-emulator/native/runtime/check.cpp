// Whether an access is allowed.
#include <cstdio>

#include "worker.h"

namespace emulator {

namespace {

const char* name_of(Access access) {
  return access == Access::load ? "load" : access == Access::store ? "store" : "atomic";
}

}  // namespace

void Worker::check(Lane& lane, u64 address, u32 bytes, Space space, Access access) {
  char text[160];
  if (address % bytes != 0) {
    snprintf(text, sizeof text, "memcheck: misaligned %s of %u bytes at 0x%llx", name_of(access), bytes,
             (unsigned long long)address);
    fail(lane, FaultKind::alignment, text);
  }
  if (space == Space::shared) return check_shared(lane, address, bytes, access);
  const Range found = launch_->allocation(address);
  if (address >= found.begin && address + bytes <= found.end) {
    recent_[address >> 12 & (RECENT - 1)] = found;
    return;
  }
  snprintf(text, sizeof text, "memcheck: %s of %u bytes at 0x%llx, outside of every allocation", name_of(access), bytes,
           (unsigned long long)address);
  std::string what = text;
  if (found.end > found.begin) {
    snprintf(text, sizeof text, "; the one before it ends %llu bytes earlier", (unsigned long long)(address - found.end));
    what += text;
  }
  fail(lane, FaultKind::address, what);
}

void Worker::check_shared(Lane& lane, u64 address, u32 bytes, Access access) {
  char text[160];
  if (address + bytes > shared_bytes_) {
    snprintf(text, sizeof text, "memcheck: %s of %u bytes at offset %llu of %u bytes of shared memory", name_of(access),
             bytes, (unsigned long long)address, shared_bytes_);
    fail(lane, FaultKind::address, text);
  }
  const u32 syncs = launch_->kernel->cooperative ? warps_[lane.warp].syncs : 0;
  const s32 other = races_.access((u32)address, bytes, access, { lane.index, barriers_, syncs });
  if (other == RaceCheck::NO_CONFLICT) return;
  snprintf(text, sizeof text, "racecheck: %s of %u bytes at offset %llu of shared memory, which thread %d accessed too, with no barrier between",
           name_of(access), bytes, (unsigned long long)address, other);
  fail(lane, FaultKind::race, text);
}

}  // namespace emulator
