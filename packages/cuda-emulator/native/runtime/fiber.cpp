#include "fiber.h"

#include <sys/mman.h>

#include <new>

namespace emulator {

namespace {
constexpr size_t GUARD_BYTES = 16 << 10;
}

Fiber::Fiber() {
  const int flags = MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE;
  void* memory = mmap(nullptr, STACK_BYTES, PROT_READ | PROT_WRITE, flags, -1, 0);
  if (memory == MAP_FAILED) throw std::bad_alloc();
  // Too much local memory is a crash, not somebody else's data.
  mprotect(memory, GUARD_BYTES, PROT_NONE);
  stack_ = static_cast<uint8_t*>(memory);
}

Fiber::~Fiber() { munmap(stack_, STACK_BYTES); }

#if defined(__x86_64__)

extern "C" void emulator_switch(void** from, void* to);
asm(R"(
.text
.globl emulator_switch
.hidden emulator_switch
.type emulator_switch,@function
emulator_switch:
  pushq %rbp
  pushq %rbx
  pushq %r12
  pushq %r13
  pushq %r14
  pushq %r15
  movq %rsp, (%rdi)
  movq %rsi, %rsp
  popq %r15
  popq %r14
  popq %r13
  popq %r12
  popq %rbx
  popq %rbp
  ret
.size emulator_switch,.-emulator_switch
)");

void Fiber::prepare(void (*entry)()) {
  // A return address and six registers, on a stack that is aligned as after a call.
  void** top = reinterpret_cast<void**>(stack_ + STACK_BYTES - 64);
  *--top = nullptr;
  *--top = reinterpret_cast<void*>(entry);
  for (int saved = 0; saved < 6; saved++) *--top = nullptr;
  context = top;
}

void switch_context(Context& from, Context& to) { emulator_switch(&from, to); }

#else

void Fiber::prepare(void (*entry)()) {
  getcontext(&context);
  context.uc_stack.ss_sp = stack_;
  context.uc_stack.ss_size = STACK_BYTES;
  context.uc_link = nullptr;
  makecontext(&context, entry, 0);
}

void switch_context(Context& from, Context& to) { swapcontext(&from, &to); }

#endif

}  // namespace emulator
