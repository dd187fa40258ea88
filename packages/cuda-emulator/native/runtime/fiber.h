// Stacks that the threads of a block take turns on.
#pragma once
#include <cstddef>
#include <cstdint>

#if !defined(__x86_64__)
#include <ucontext.h>
#endif

namespace emulator {

// Where a stack was left. On x86-64 its pointer; elsewhere the C library's context.
#if defined(__x86_64__)
using Context = void*;
#else
using Context = ucontext_t;
#endif

// A stack of its own for a function that never returns.
class Fiber {
 public:
  static constexpr size_t STACK_BYTES = 256 << 10;

  Fiber();
  ~Fiber();
  Fiber(const Fiber&) = delete;
  Fiber& operator=(const Fiber&) = delete;

  // The next switch to this fiber starts `entry`.
  void prepare(void (*entry)());
  uint8_t* stack() const { return stack_; }

  Context context;

 private:
  uint8_t* stack_;
};

// Leaves `from` where it is and goes on at `to`.
void switch_context(Context& from, Context& to);

}  // namespace emulator
