// Barriers, meetings of lanes, and copies that are waited for.
#include <algorithm>
#include <cstring>

#include "worker.h"

namespace emulator {

void Worker::barrier(Lane& lane, u32 id, u32 threads, bool waits, bool predicate) {
  if (id > 15) fail(lane, FaultKind::synchronization, "synccheck: there is no barrier " + std::to_string(id));
  if (threads == 0 && launch_->check && alive_ != count_)
    fail(lane, FaultKind::synchronization, "synccheck: a barrier of the block after some of its threads returned");
  Barrier& barrier = named_[id];
  if (barrier.arrived > 0 && barrier.needed != threads)
    fail(lane, FaultKind::synchronization, "synccheck: threads expect different counts at one barrier");
  barrier.needed = threads;
  barrier.arrived++;
  barrier.yes += predicate;
  const bool last = barrier.arrived >= (threads == 0 ? alive_ : threads);
  if (last) open_barrier(barrier);
  if (last || !waits) return;
  barrier.waiting.push_back(&lane);
  warps_[lane.warp].ready &= ~(1u << lane.lane);
  yield(lane);
}

void Worker::open_barrier(Barrier& barrier) {
  for (Lane* lane : barrier.waiting) resume(*lane);
  barrier.waiting.clear();
  barrier.counted = { barrier.yes, barrier.arrived };
  barrier.arrived = barrier.yes = 0;
  barriers_++;
}

Slot& Worker::slot_of(Lane& lane, u32 mask) {
  Warp& warp = warps_[lane.warp];
  for (Slot& slot : warp.slots)
    if (slot.mask == mask) return slot;
  for (Slot& slot : warp.slots) {
    if (slot.arrived != 0 || slot.unread != 0) continue;
    slot.mask = mask;
    return slot;
  }
  fail(lane, FaultKind::synchronization, "synccheck: lanes of a warp wait under more than four masks at once");
}

const u8* Worker::meet(Lane& lane, Meeting meeting, u32 mask, const void* value, u32 bytes) {
  Warp& warp = warps_[lane.warp];
  const u32 bit = 1u << lane.lane;
  if (!(mask & bit)) fail(lane, FaultKind::synchronization, "synccheck: a lane is not in the mask that it gives");
  if (launch_->check && (mask & ~warp.alive) != 0)
    fail(lane, FaultKind::synchronization, "synccheck: the mask names lanes that returned or do not exist");
  Slot& slot = slot_of(lane, mask);
  if (slot.arrived == 0) {
    slot.meeting = meeting;
    slot.bytes = bytes;
  } else if (slot.meeting != meeting || slot.bytes != bytes) {
    fail(lane, FaultKind::synchronization, "synccheck: lanes of one mask wait at different instructions");
  }
  const u32 turn = slot.turn;
  if (bytes > 0) memcpy(slot.values[turn] + lane.lane * bytes, value, bytes);
  slot.arrived |= bit;
  if (slot.arrived == (mask & warp.alive)) {
    complete(warp, slot);
  } else {
    warp.ready &= ~bit;
    yield(lane);
  }
  slot.unread &= ~bit;
  return slot.values[turn];
}

void Worker::complete(Warp& warp, Slot& slot) {
  warp.ready |= slot.arrived;
  slot.unread = slot.arrived;
  slot.arrived = 0;
  slot.turn ^= 1;
  // Only this one orders accesses of memory.
  if (slot.meeting == Meeting::sync) warp.syncs++;
}

// Carries out the copies of all groups that are closed but for the last `pending`.
void Worker::finish_copies(Lane& lane, u32 pending) {
  auto& copies = lane.copies;
  auto end = std::find_if(copies.begin(), copies.end(),
                          [&](const Copy& copy) { return copy.group + pending >= lane.group; });
  for (auto copy = copies.begin(); copy != end; ++copy) {
    if (launch_->check) check(lane, copy->to, copy->bytes, Space::shared, Access::store);
    u8* to = lane.shared + copy->to;
    memcpy(to, reinterpret_cast<const void*>(copy->from), copy->read);
    memset(to + copy->read, 0, copy->bytes - copy->read);
  }
  copies.erase(copies.begin(), end);
}

}  // namespace emulator
