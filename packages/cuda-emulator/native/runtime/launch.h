// A launch, and how it ends.
#pragma once
#include <string>

#include "../kernel_abi.h"

namespace emulator {

using namespace ptx;

struct Launch {
  const Kernel* kernel;
  u32 grid[3], block[3];
  // Bytes of shared memory beside what the kernel declares.
  u32 dynamic_shared;
  const u8* parameters;
  // Accesses and barriers are checked, shared memory begins with garbage.
  bool check;
  // Not 0: warps take turns in another order.
  u64 seed;
  // Host threads that run blocks.
  u32 threads;
  // The allocation that has the address; an empty range where there is none.
  Range (*allocation)(u64 address);
};

enum class FaultKind { none, address, alignment, race, synchronization, deadlock, trap };

struct Fault {
  FaultKind kind = FaultKind::none;
  std::string text;
};

// Runs all blocks. Of several faults, that of the first block in the order of the grid is told.
Fault run(const Launch& launch);

}  // namespace emulator
