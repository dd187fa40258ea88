// What the stand-in for the driver keeps. One lock guards everything.
#pragma once
#include <cuda.h>

#include <deque>
#include <functional>
#include <map>
#include <memory>
#include <mutex>
#include <set>
#include <string>
#include <vector>

#include "../runtime/launch.h"

#define DRIVER extern "C" __attribute__((visibility("default")))

// How the machine looks. Tests change it through fakecuda_configure.
struct Settings {
  long memoryMb = 4096;
  long driverVersion = 12090;
  long computeCapability = 90;
  long devices = 1;
  long check = 1;
  long deferred = 1;
  // Host threads that run blocks; 0 for as many as there are cores.
  long threads = 0;
  long seed = 0;
  // Of the stand-in for NCCL, as ncclGetVersion gives it.
  long ncclVersion = 22707;
};

// A device and its primary context.
struct CUctx_st {
  int device = 0;
  int retained = 0;
  // What ended the context.
  CUresult failure = CUDA_SUCCESS;
  // Bytes by address.
  std::map<CUdeviceptr, size_t> allocations;
  // Tables of modules.
  std::map<CUdeviceptr, size_t> tables;
  size_t used = 0, peak = 0;
  CUstream default_stream = nullptr;
  std::set<CUstream> streams;
};

// Work of a stream waits until somebody asks for it, so that a missing wait gives wrong numbers.
struct CUstream_st {
  CUcontext context = nullptr;
  std::deque<std::function<CUresult()>> work;
  uint64_t pushed = 0, done = 0;
};

struct CUevent_st {
  CUstream stream = nullptr;
  uint64_t position = 0;
  double time = 0;
};

struct CUfunc_st {
  const ptx::Kernel* kernel;
  CUcontext context;
  int dynamic_shared = 48 << 10;
};

struct CUmod_st {
  void* library;
  CUcontext context;
  std::map<std::string, CUfunc_st> functions;
  std::map<std::string, ptx::Global> tables;
};

struct Injection {
  std::string function;
  long remaining;
  CUresult code;
};

// Host memory that devices read and write themselves.
struct Pinned {
  size_t bytes;
  CUcontext context;
};

struct State {
  Settings settings;
  bool initialized = false;
  std::vector<std::unique_ptr<CUctx_st>> contexts;
  std::vector<Injection> injections;
  std::map<std::string, uint64_t> calls;
  bool logging = false;
  std::string log;
  std::string last_fault;
  uint64_t launches = 0;
  std::map<void*, Pinned> pinned;
};

State& state();
std::recursive_mutex& lock_of_state();

// Current context of the calling host thread.
CUcontext& current_context();

// Counts and logs a call, and refuses it where a test, a fault or a missing context says so.
CUresult enter(const char* function, bool needs_context, const std::string& arguments = "");

#define ENTER(needs_context)                                            \
  std::lock_guard<std::recursive_mutex> guard(lock_of_state());         \
  if (CUresult refused = enter(__func__, needs_context)) return refused

// The answer that a test wants for this call, if it wants one.
CUresult injected(const std::string& function);

// Whether an error ends the context.
bool is_sticky(CUresult code);

CUcontext context_of_device(int device);
CUstream stream_of(CUstream handle);
// Whether a handle is one that exists.
bool is_stream(CUstream handle);

CUresult push(CUstream stream, std::function<CUresult()> work);
CUresult drain(CUstream stream, uint64_t until = ~0ull);
CUresult drain_all(CUcontext context);
// Milliseconds of a clock that only goes forward.
double now();

bool is_allocated(CUcontext context, CUdeviceptr address, size_t bytes);
// The allocation at an address, or the last one before it.
ptx::Range allocation_at(CUcontext context, uint64_t address);
void free_all(CUcontext context);
