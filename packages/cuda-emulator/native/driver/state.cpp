#include "state.h"

#include <cstdlib>
#include <ctime>

#include "control.h"

State& state() {
  static State& one = *[] {
    State* made = new State;
    if (const char* text = std::getenv("FAKECUDA")) configure(made->settings, text);
    return made;
  }();
  return one;
}

std::recursive_mutex& lock_of_state() {
  static std::recursive_mutex& mutex = *new std::recursive_mutex;
  return mutex;
}

CUcontext& current_context() {
  static thread_local CUcontext current = nullptr;
  return current;
}

bool is_sticky(CUresult code) {
  switch (code) {
    case CUDA_ERROR_ECC_UNCORRECTABLE:
    case CUDA_ERROR_NVLINK_UNCORRECTABLE:
    case CUDA_ERROR_ILLEGAL_ADDRESS:
    case CUDA_ERROR_LAUNCH_TIMEOUT:
    case CUDA_ERROR_ASSERT:
    case CUDA_ERROR_HARDWARE_STACK_ERROR:
    case CUDA_ERROR_ILLEGAL_INSTRUCTION:
    case CUDA_ERROR_MISALIGNED_ADDRESS:
    case CUDA_ERROR_INVALID_ADDRESS_SPACE:
    case CUDA_ERROR_INVALID_PC:
    case CUDA_ERROR_LAUNCH_FAILED:
      return true;
    default:
      return false;
  }
}

namespace {

// cuMemAlloc_v2 is cuMemAlloc to everybody.
std::string plain_name(const char* function) {
  std::string name = function;
  const size_t at = name.rfind("_v");
  return at != std::string::npos && at + 3 == name.size() ? name.substr(0, at) : name;
}

}  // namespace

CUresult injected(const std::string& function) {
  auto& injections = state().injections;
  for (size_t index = 0; index < injections.size(); index++) {
    Injection& injection = injections[index];
    if (injection.function != function || --injection.remaining > 0) continue;
    const CUresult code = injection.code;
    injections.erase(injections.begin() + (long)index);
    return code;
  }
  return CUDA_SUCCESS;
}

CUresult enter(const char* function, bool needs_context, const std::string& arguments) {
  State& all = state();
  const std::string name = plain_name(function);
  all.calls[name]++;
  if (all.logging) all.log += name + arguments + "\n";
  const CUcontext context = current_context();
  if (CUresult code = injected(name)) {
    if (is_sticky(code) && context != nullptr) context->failure = code;
    return code;
  }
  if (!all.initialized && name != "cuInit") return CUDA_ERROR_NOT_INITIALIZED;
  if (!needs_context) return CUDA_SUCCESS;
  if (context == nullptr) return CUDA_ERROR_INVALID_CONTEXT;
  if (context->retained == 0) return CUDA_ERROR_CONTEXT_IS_DESTROYED;
  return context->failure;
}

CUcontext context_of_device(int device) {
  auto& contexts = state().contexts;
  if (device < 0 || device >= state().settings.devices) return nullptr;
  while ((int)contexts.size() <= device) {
    auto context = std::make_unique<CUctx_st>();
    context->device = (int)contexts.size();
    context->default_stream = new CUstream_st;
    context->default_stream->context = context.get();
    contexts.push_back(std::move(context));
  }
  return contexts[(size_t)device].get();
}

double now() {
  timespec time;
  clock_gettime(CLOCK_MONOTONIC, &time);
  return (double)time.tv_sec * 1e3 + (double)time.tv_nsec / 1e6;
}
