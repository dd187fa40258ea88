#include "race-check.h"

namespace emulator {

namespace {
constexpr u32 THREAD_BITS = 10, SYNC_BITS = 22;
constexpr u32 THREAD_MASK = (1u << THREAD_BITS) - 1, SYNC_MASK = (1u << SYNC_BITS) - 1;
}  // namespace

// Cells need no cleaning between blocks: the count of barriers goes on, and with another count nothing conflicts.
void RaceCheck::resize(u32 bytes) {
  const size_t words = bytes / 4 + 1;
  if (words_.size() >= words) return;
  words_.resize(words);
  split_.resize(words);
  if (!bytes_.empty()) bytes_.resize(words * 4);
}

RaceCheck::Stamp RaceCheck::stamp(const Moment& moment) {
  return (u64)moment.barriers << 32 | (u64)(moment.syncs & SYNC_MASK) << THREAD_BITS | (moment.thread & THREAD_MASK);
}

bool RaceCheck::conflicts(Stamp then, const Moment& now) {
  const u32 thread = (u32)then & THREAD_MASK, syncs = (u32)then >> THREAD_BITS;
  if (then == 0 || (u32)(then >> 32) != now.barriers || thread == now.thread) return false;
  // Lanes of a warp are ordered by its own synchronizations too.
  return thread / 32 != now.thread / 32 || syncs == (now.syncs & SYNC_MASK);
}

s32 RaceCheck::touch(Cell& cell, Access access, const Moment& now) {
  if (conflicts(cell.store, now)) return (s32)(cell.store & THREAD_MASK);
  if (access == Access::load) {
    if ((cell.load & THREAD_MASK) != now.thread) cell.earlier = cell.load;
    cell.load = stamp(now);
    return NO_CONFLICT;
  }
  if (conflicts(cell.load, now)) return (s32)(cell.load & THREAD_MASK);
  if (conflicts(cell.earlier, now)) return (s32)(cell.earlier & THREAD_MASK);
  // Atomics of several threads are no race, so they leave no mark.
  if (access == Access::store) cell.store = stamp(now);
  return NO_CONFLICT;
}

s32 RaceCheck::access(u32 offset, u32 bytes, Access access, const Moment& now) {
  for (u32 word = offset / 4; word <= (offset + bytes - 1) / 4; word++) {
    if (bytes >= 4 && !split_[word]) {
      if (s32 other = touch(words_[word], access, now); other != NO_CONFLICT) return other;
      continue;
    }
    if (bytes_.empty()) bytes_.resize(words_.size() * 4);
    if (!split_[word]) {
      for (u32 byte = 0; byte < 4; byte++) bytes_[word * 4 + byte] = words_[word];
      split_[word] = true;
    }
    const u32 begin = bytes >= 4 ? word * 4 : offset, end = bytes >= 4 ? word * 4 + 4 : offset + bytes;
    for (u32 byte = begin; byte < end; byte++)
      if (s32 other = touch(bytes_[byte], access, now); other != NO_CONFLICT) return other;
  }
  return NO_CONFLICT;
}

}  // namespace emulator
