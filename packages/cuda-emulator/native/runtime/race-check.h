// Finds accesses of shared memory by two threads without a barrier between them, one of them a store.
#pragma once
#include <vector>

#include "../kernel_abi.h"

namespace emulator {

using namespace ptx;

// Who accessed, and when: barriers and warp synchronizations so far.
struct Moment {
  u32 thread;
  u32 barriers;
  u32 syncs;
};

class RaceCheck {
 public:
  static constexpr s32 NO_CONFLICT = -1;

  void resize(u32 bytes);

  // The other thread of a race, or NO_CONFLICT.
  s32 access(u32 offset, u32 bytes, Access access, const Moment& now);

 private:
  // A moment in one number; 0 is never.
  using Stamp = u64;

  // The last store and the last two loads of different threads.
  struct Cell {
    Stamp store = 0, load = 0, earlier = 0;
  };

  static Stamp stamp(const Moment& moment);
  static bool conflicts(Stamp then, const Moment& now);
  static s32 touch(Cell& cell, Access access, const Moment& now);

  std::vector<Cell> words_;
  // Words that were accessed in parts have a cell for every byte.
  std::vector<Cell> bytes_;
  std::vector<bool> split_;
};

}  // namespace emulator
