// Launches.
#include <algorithm>
#include <cstring>
#include <thread>

#include "state.h"

namespace {

CUcontext running = nullptr;

ptx::Range allocation(uint64_t address) { return allocation_at(running, address); }

CUresult code_of(emulator::FaultKind kind) {
  switch (kind) {
    case emulator::FaultKind::none: return CUDA_SUCCESS;
    case emulator::FaultKind::address: return CUDA_ERROR_ILLEGAL_ADDRESS;
    case emulator::FaultKind::alignment: return CUDA_ERROR_MISALIGNED_ADDRESS;
    case emulator::FaultKind::deadlock: return CUDA_ERROR_LAUNCH_TIMEOUT;
    default: return CUDA_ERROR_LAUNCH_FAILED;
  }
}

CUresult execute(CUcontext context, emulator::Launch launch, const std::vector<uint8_t>& parameters) {
  if (CUresult code = injected("kernel")) return code;
  const Settings& settings = state().settings;
  launch.parameters = parameters.data();
  launch.check = settings.check != 0;
  launch.seed = (uint64_t)settings.seed;
  launch.threads = settings.threads > 0 ? (uint32_t)settings.threads : std::max(1u, std::thread::hardware_concurrency());
  launch.allocation = allocation;
  running = context;
  const emulator::Fault fault = emulator::run(launch);
  if (fault.kind != emulator::FaultKind::none) state().last_fault = fault.text;
  return code_of(fault.kind);
}

int most_dynamic_bytes(CUfunction function) {
  int most = 0;
  cuDeviceGetAttribute(&most, CU_DEVICE_ATTRIBUTE_MAX_SHARED_MEMORY_PER_BLOCK_OPTIN, function->context->device);
  return most - (int)function->kernel->static_shared;
}

CUresult refusal(CUfunction function, const emulator::Launch& launch, void** parameters, void** extra) {
  const uint32_t *grid = launch.grid, *block = launch.block;
  const uint64_t threads = (uint64_t)block[0] * block[1] * block[2];
  if (grid[0] == 0 || grid[1] == 0 || grid[2] == 0 || threads == 0) return CUDA_ERROR_INVALID_VALUE;
  if (grid[0] > 2147483647u || grid[1] > 65535 || grid[2] > 65535) return CUDA_ERROR_INVALID_VALUE;
  if (threads > 1024 || block[2] > 64) return CUDA_ERROR_INVALID_VALUE;
  if (threads > function->kernel->max_threads) return CUDA_ERROR_INVALID_VALUE;
  // Beyond 48 KiB a kernel must have asked for it.
  if (launch.dynamic_shared + function->kernel->static_shared > (48u << 10) &&
      launch.dynamic_shared > (uint32_t)function->dynamic_shared)
    return CUDA_ERROR_INVALID_VALUE;
  if (extra != nullptr) return CUDA_ERROR_NOT_SUPPORTED;
  return function->kernel->parameter_count > 0 && parameters == nullptr ? CUDA_ERROR_INVALID_VALUE : CUDA_SUCCESS;
}

std::string described(CUfunction function, const emulator::Launch& launch) {
  const uint32_t *grid = launch.grid, *block = launch.block;
  char text[300];
  snprintf(text, sizeof text, " %s grid=%u,%u,%u block=%u,%u,%u shared=%u", function->kernel->name, grid[0], grid[1],
           grid[2], block[0], block[1], block[2], launch.dynamic_shared);
  return text;
}

}  // namespace

DRIVER CUresult cuLaunchKernel(CUfunction function, unsigned grid_x, unsigned grid_y, unsigned grid_z, unsigned block_x,
                               unsigned block_y, unsigned block_z, unsigned shared, CUstream stream, void** parameters,
                               void** extra) {
  std::lock_guard<std::recursive_mutex> guard(lock_of_state());
  if (function == nullptr) return CUDA_ERROR_INVALID_HANDLE;
  emulator::Launch launch{ function->kernel, { grid_x, grid_y, grid_z }, { block_x, block_y, block_z }, shared,
                           nullptr, false, 0, 1, nullptr };
  if (CUresult refused = enter(__func__, true, described(function, launch))) return refused;
  if (!is_stream(stream)) return CUDA_ERROR_INVALID_HANDLE;
  if (CUresult refused = refusal(function, launch, parameters, extra)) return refused;
  const ptx::Kernel& kernel = *function->kernel;
  auto values = std::make_shared<std::vector<uint8_t>>(kernel.parameter_bytes + 16);
  for (uint32_t index = 0; index < kernel.parameter_count; index++)
    std::memcpy(values->data() + kernel.parameter_offsets[index], parameters[index], kernel.parameter_sizes[index]);
  state().launches++;
  const CUcontext context = current_context();
  return push(stream_of(stream), [=] { return execute(context, launch, *values); });
}

DRIVER CUresult cuFuncGetAttribute(int* value, CUfunction_attribute attribute, CUfunction function) {
  ENTER(true);
  const ptx::Kernel& kernel = *function->kernel;
  switch (attribute) {
    case CU_FUNC_ATTRIBUTE_MAX_THREADS_PER_BLOCK: *value = (int)kernel.max_threads; break;
    case CU_FUNC_ATTRIBUTE_SHARED_SIZE_BYTES: *value = (int)kernel.static_shared; break;
    case CU_FUNC_ATTRIBUTE_LOCAL_SIZE_BYTES: *value = (int)kernel.local_bytes; break;
    case CU_FUNC_ATTRIBUTE_MAX_DYNAMIC_SHARED_SIZE_BYTES: *value = function->dynamic_shared; break;
    default: return CUDA_ERROR_INVALID_VALUE;
  }
  return CUDA_SUCCESS;
}

DRIVER CUresult cuFuncSetAttribute(CUfunction function, CUfunction_attribute attribute, int value) {
  ENTER(true);
  if (attribute != CU_FUNC_ATTRIBUTE_MAX_DYNAMIC_SHARED_SIZE_BYTES) return CUDA_ERROR_INVALID_VALUE;
  if (value < 0 || value > most_dynamic_bytes(function)) return CUDA_ERROR_INVALID_VALUE;
  function->dynamic_shared = value;
  return CUDA_SUCCESS;
}
