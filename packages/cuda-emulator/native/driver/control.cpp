// What tests call: settings, injected failures, counts. No part of CUDA.
#include "control.h"

#include <cstdlib>
#include <sstream>

#define CONTROL extern "C" __attribute__((visibility("default")))
#define LOCKED std::lock_guard<std::recursive_mutex> guard(lock_of_state())

bool configure(Settings& settings, const std::string& text) {
  const std::map<std::string, long*> fields = {
    { "memoryMb", &settings.memoryMb },
    { "driverVersion", &settings.driverVersion },
    { "computeCapability", &settings.computeCapability },
    { "devices", &settings.devices },
    { "check", &settings.check },
    { "deferred", &settings.deferred },
    { "threads", &settings.threads },
    { "seed", &settings.seed },
    { "ncclVersion", &settings.ncclVersion },
  };
  std::istringstream words(text);
  for (std::string word; words >> word;) {
    const size_t equals = word.find('=');
    const auto field = fields.find(word.substr(0, equals));
    if (equals == std::string::npos || field == fields.end()) return false;
    char* end = nullptr;
    const long value = std::strtol(word.c_str() + equals + 1, &end, 10);
    if (*end != 0) return false;
    *field->second = value;
  }
  return true;
}

CONTROL int fakecuda_configure(const char* text) {
  LOCKED;
  return configure(state().settings, text) ? 0 : 1;
}

// Back to the settings at the start; faults, injections, counts and the log are forgotten. Allocations stay.
CONTROL void fakecuda_reset() {
  LOCKED;
  State& all = state();
  all.settings = Settings();
  if (const char* text = std::getenv("FAKECUDA")) configure(all.settings, text);
  all.injections.clear();
  all.calls.clear();
  all.log.clear();
  all.logging = false;
  all.last_fault.clear();
  all.launches = 0;
  for (auto& context : all.contexts) {
    context->failure = CUDA_SUCCESS;
    context->peak = context->used;
  }
}

// The `nth` call of a function from now on answers `code`. The function "kernel" is a kernel that runs.
CONTROL void fakecuda_inject(const char* function, int nth, int code) {
  LOCKED;
  state().injections.push_back({ function, nth, (CUresult)code });
}

// For the other libraries: counts and logs a call; the answer that a test wants for it.
CONTROL int fakecuda_enter(const char* function) {
  LOCKED;
  state().calls[function]++;
  if (state().logging) state().log += std::string(function) + "\n";
  return injected(function);
}

CONTROL int fakecuda_injected(const char* event) {
  LOCKED;
  return injected(event);
}

CONTROL long fakecuda_nccl_version() {
  LOCKED;
  return state().settings.ncclVersion;
}

CONTROL void fakecuda_log(int on) {
  LOCKED;
  state().logging = on != 0;
  state().log.clear();
}

CONTROL const char* fakecuda_logged() {
  LOCKED;
  return state().log.c_str();
}

CONTROL const char* fakecuda_last_fault() {
  LOCKED;
  return state().last_fault.c_str();
}

// `name=value` lines: counts, then `calls.NAME` for every function that was called.
CONTROL const char* fakecuda_statistics() {
  LOCKED;
  static std::string text;
  size_t allocations = 0, used = 0, peak = 0, streams = 0;
  for (auto& context : state().contexts) {
    allocations += context->allocations.size();
    used += context->used;
    peak += context->peak;
    streams += context->streams.size();
  }
  std::ostringstream out;
  out << "liveAllocations=" << allocations << "\nbytes=" << used << "\npeakBytes=" << peak << "\nstreams=" << streams
      << "\npinned=" << state().pinned.size() << "\nlaunches=" << state().launches << "\n";
  for (auto& [name, count] : state().calls) out << "calls." << name << "=" << count << "\n";
  text = out.str();
  return text.c_str();
}
