#include "worker.h"

#include <algorithm>
#include <cstdio>
#include <cstdlib>
#include <cstring>

#include "services.h"

namespace emulator {

namespace {

constexpr u32 MOST_WARPS = 32;
// A quiet NaN that is easy to recognise.
constexpr u32 GARBAGE = 0x7fc0dead;

// A fiber starts without arguments; this is its first lane's worker.
thread_local Worker* running = nullptr;
thread_local Lane* starting = nullptr;

u32 threads_of(const Launch& launch) { return launch.block[0] * launch.block[1] * launch.block[2]; }

}  // namespace

Worker::Worker() : warps_(new Warp[MOST_WARPS]), shared_(nullptr, std::free) {}

Fault Worker::run(const Launch& launch, u64 block) {
  prepare(launch, block);
  running = this;
  if (launch.kernel->cooperative) run_together();
  else run_alone();
  return fault_;
}

void Worker::prepare(const Launch& launch, u64 block) {
  launch_ = &launch;
  fault_ = {};
  count_ = alive_ = threads_of(launch);
  // Accesses of the block before are over.
  barriers_++;
  position_[0] = (u32)(block % launch.grid[0]);
  position_[1] = (u32)(block / launch.grid[0] % launch.grid[1]);
  position_[2] = (u32)(block / launch.grid[0] / launch.grid[1]);
  shared_bytes_ = launch.kernel->dynamic_offset + launch.dynamic_shared;
  if (shared_bytes_ + 16 > shared_capacity_) {
    shared_capacity_ = (shared_bytes_ + 16 + 1023) / 1024 * 1024;
    shared_.reset(static_cast<u8*>(std::aligned_alloc(1024, shared_capacity_)));
  }
  if (launch.check) {
    std::fill_n(reinterpret_cast<u32*>(shared_.get()), shared_bytes_ / 4, GARBAGE);
    races_.resize(shared_bytes_);
  }
  for (Range& range : recent_) range = {};
  while (lanes_.size() < (launch.kernel->cooperative ? count_ : 1)) lanes_.push_back(std::make_unique<Lane>());
}

void Worker::set_thread(Lane& lane, u32 index) {
  const Launch& launch = *launch_;
  const u32* block = launch.block;
  lane.tid[0] = index % block[0];
  lane.tid[1] = index / block[0] % block[1];
  lane.tid[2] = index / block[0] / block[1];
  std::copy_n(block, 3, lane.ntid);
  std::copy_n(position_, 3, lane.ctaid);
  std::copy_n(launch.grid, 3, lane.nctaid);
  lane.lane = index % 32;
  lane.warp = index / 32;
  lane.shared = shared_.get();
  lane.shared_bytes = shared_bytes_;
  lane.dynamic_offset = launch.kernel->dynamic_offset;
  lane.parameters = launch.parameters;
  lane.runtime = &SERVICES;
  lane.recent = recent_;
  lane.stack_begin = (u64)lane.fiber.stack();
  lane.stack_end = lane.stack_begin + Fiber::STACK_BYTES;
  lane.worker = this;
  lane.index = index;
  lane.copies.clear();
  lane.group = 0;
}

// Threads that do not wait for each other run one after the other on one stack.
void Worker::run_alone() {
  Lane& lane = *lanes_[0];
  starting = &lane;
  lane.fiber.prepare(enter_alone);
  switch_context(scheduler_, lane.fiber.context);
}

void Worker::enter_alone() {
  Worker& worker = *running;
  Lane& lane = *starting;
  for (u32 index = 0; index < worker.count_; index++) {
    worker.set_thread(lane, index);
    worker.launch_->kernel->run(&lane);
    lane.group++;
    worker.finish_copies(lane, 0);
  }
  switch_context(lane.fiber.context, worker.scheduler_);
  std::abort();
}

void Worker::run_together() {
  const u32 warps = (count_ + 31) / 32;
  for (u32 index = 0; index < warps; index++) {
    const u32 lanes = std::min(32u, count_ - index * 32);
    Warp& warp = warps_[index];
    warp.alive = warp.ready = lanes == 32 ? ~0u : (1u << lanes) - 1;
    for (Slot& slot : warp.slots) slot.mask = slot.arrived = slot.unread = 0;
  }
  for (Barrier& barrier : named_) {
    barrier.arrived = barrier.yes = 0;
    barrier.waiting.clear();
  }
  for (u32 index = 0; index < count_; index++) {
    set_thread(*lanes_[index], index);
    lanes_[index]->fiber.prepare(enter_together);
  }
  while (alive_ > 0 && fault_.kind == FaultKind::none)
    if (!run_warps()) deadlock();
}

// Lets every warp run until its lanes wait for others. False where none could.
bool Worker::run_warps() {
  const u32 warps = (count_ + 31) / 32;
  u32 first = 0;
  if (launch_->seed != 0) {
    random_ = (random_ ^ launch_->seed) * 6364136223846793005ull + 1442695040888963407ull;
    first = (u32)(random_ >> 33) % warps;
  }
  bool progress = false;
  for (u32 index = 0; index < warps; index++) {
    Warp& warp = warps_[(index + first) % warps];
    while (warp.ready != 0) {
      progress = true;
      Lane& lane = *lanes_[((index + first) % warps) * 32 + (u32)__builtin_ctz(warp.ready)];
      starting = &lane;
      switch_context(scheduler_, lane.fiber.context);
      if (fault_.kind != FaultKind::none) return true;
    }
  }
  return progress;
}

void Worker::enter_together() {
  Worker& worker = *running;
  Lane& lane = *starting;
  worker.launch_->kernel->run(&lane);
  worker.finish(lane);
}

// The thread has returned.
void Worker::finish(Lane& lane) {
  lane.group++;
  finish_copies(lane, 0);
  Warp& warp = warps_[lane.warp];
  const u32 bit = 1u << lane.lane;
  alive_--;
  warp.alive &= ~bit;
  warp.ready &= ~bit;
  for (Slot& slot : warp.slots) {
    if (slot.arrived == 0 || !(slot.mask & bit)) continue;
    if (launch_->check)
      fail(lane, FaultKind::synchronization, "synccheck: a thread returned while other lanes of its mask wait for it");
    if (slot.arrived == (slot.mask & warp.alive)) complete(warp, slot);
  }
  for (Barrier& barrier : named_) {
    if (barrier.waiting.empty() || barrier.needed != 0) continue;
    if (launch_->check)
      fail(lane, FaultKind::synchronization, "synccheck: a thread returned while others wait at a barrier of the block");
    if (barrier.arrived == alive_) open_barrier(barrier);
  }
  yield(lane);
  std::abort();
}

void Worker::yield(Lane& lane) {
  const Warp& warp = warps_[lane.warp];
  if (warp.ready == 0) return switch_context(lane.fiber.context, scheduler_);
  const u32 above = warp.ready & ~((2u << lane.lane) - 1);
  Lane& next = *lanes_[lane.warp * 32 + (u32)__builtin_ctz(lane.lane < 31 && above != 0 ? above : warp.ready)];
  if (&next == &lane) return;
  starting = &next;
  switch_context(lane.fiber.context, next.fiber.context);
}

void Worker::resume(Lane& lane) { warps_[lane.warp].ready |= 1u << lane.lane; }

void Worker::fail(Lane& lane, FaultKind kind, const std::string& what) {
  char place[200];
  const u32 *block = lane.ctaid, *thread = lane.tid;
  snprintf(place, sizeof place, " [kernel %s, block (%u, %u, %u), thread (%u, %u, %u)]", launch_->kernel->name, block[0],
           block[1], block[2], thread[0], thread[1], thread[2]);
  fault_ = { kind, what + place };
  switch_context(lane.fiber.context, scheduler_);
  std::abort();
}

void Worker::deadlock() {
  u32 waiting = 0;
  for (const Barrier& barrier : named_) waiting += (u32)barrier.waiting.size();
  char text[300];
  snprintf(text, sizeof text,
           "deadlock: of %u threads that run, %u wait at a barrier of the block and %u at an instruction of their warp "
           "[kernel %s, block (%u, %u, %u)]",
           alive_, waiting, alive_ - waiting, launch_->kernel->name, position_[0], position_[1], position_[2]);
  fault_ = { FaultKind::deadlock, text };
}

}  // namespace emulator
