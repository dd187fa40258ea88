// Devices and their primary contexts.
#include <algorithm>
#include <cstdio>

#include "state.h"

namespace {

bool is_device(CUdevice device) { return device >= 0 && device < state().settings.devices; }

// Largest shared memory of a block that a kernel can ask for, by compute capability.
int most_shared_bytes(long capability) {
  if (capability < 80) return 64 << 10;
  if (capability == 80 || capability == 87) return 163 << 10;
  if (capability < 90 || capability >= 120) return 99 << 10;
  return 227 << 10;
}

int attribute_value(CUdevice_attribute attribute) {
  const long capability = state().settings.computeCapability;
  switch (attribute) {
    case CU_DEVICE_ATTRIBUTE_MAX_THREADS_PER_BLOCK: return 1024;
    case CU_DEVICE_ATTRIBUTE_MAX_BLOCK_DIM_X: return 1024;
    case CU_DEVICE_ATTRIBUTE_MAX_BLOCK_DIM_Y: return 1024;
    case CU_DEVICE_ATTRIBUTE_MAX_BLOCK_DIM_Z: return 64;
    case CU_DEVICE_ATTRIBUTE_MAX_GRID_DIM_X: return 2147483647;
    case CU_DEVICE_ATTRIBUTE_MAX_GRID_DIM_Y: return 65535;
    case CU_DEVICE_ATTRIBUTE_MAX_GRID_DIM_Z: return 65535;
    case CU_DEVICE_ATTRIBUTE_MAX_SHARED_MEMORY_PER_BLOCK: return 48 << 10;
    case CU_DEVICE_ATTRIBUTE_MAX_SHARED_MEMORY_PER_BLOCK_OPTIN: return most_shared_bytes(capability);
    case CU_DEVICE_ATTRIBUTE_WARP_SIZE: return 32;
    case CU_DEVICE_ATTRIBUTE_MAX_REGISTERS_PER_BLOCK: return 65536;
    case CU_DEVICE_ATTRIBUTE_MULTIPROCESSOR_COUNT: return 132;
    case CU_DEVICE_ATTRIBUTE_COMPUTE_CAPABILITY_MAJOR: return (int)(capability / 10);
    case CU_DEVICE_ATTRIBUTE_COMPUTE_CAPABILITY_MINOR: return (int)(capability % 10);
    case CU_DEVICE_ATTRIBUTE_UNIFIED_ADDRESSING: return 1;
    case CU_DEVICE_ATTRIBUTE_MEMORY_POOLS_SUPPORTED: return 1;
    default: return 0;
  }
}

}  // namespace

DRIVER CUresult cuInit(unsigned flags) {
  ENTER(false);
  if (flags != 0) return CUDA_ERROR_INVALID_VALUE;
  if (state().settings.devices == 0) return CUDA_ERROR_NO_DEVICE;
  state().initialized = true;
  return CUDA_SUCCESS;
}

DRIVER CUresult cuDriverGetVersion(int* version) {
  std::lock_guard<std::recursive_mutex> guard(lock_of_state());
  *version = (int)state().settings.driverVersion;
  return CUDA_SUCCESS;
}

DRIVER CUresult cuDeviceGetCount(int* count) {
  ENTER(false);
  *count = (int)state().settings.devices;
  return CUDA_SUCCESS;
}

DRIVER CUresult cuDeviceGet(CUdevice* device, int ordinal) {
  ENTER(false);
  if (!is_device(ordinal)) return CUDA_ERROR_INVALID_DEVICE;
  *device = ordinal;
  return CUDA_SUCCESS;
}

DRIVER CUresult cuDeviceGetName(char* name, int length, CUdevice device) {
  ENTER(false);
  if (!is_device(device)) return CUDA_ERROR_INVALID_DEVICE;
  snprintf(name, (size_t)length, "CUDA emulator %d", device);
  return CUDA_SUCCESS;
}

DRIVER CUresult cuDeviceTotalMem(size_t* bytes, CUdevice device) {
  ENTER(false);
  if (!is_device(device)) return CUDA_ERROR_INVALID_DEVICE;
  *bytes = (size_t)state().settings.memoryMb << 20;
  return CUDA_SUCCESS;
}

DRIVER CUresult cuDeviceGetAttribute(int* value, CUdevice_attribute attribute, CUdevice device) {
  ENTER(false);
  if (!is_device(device)) return CUDA_ERROR_INVALID_DEVICE;
  *value = attribute_value(attribute);
  return CUDA_SUCCESS;
}

DRIVER CUresult cuDeviceCanAccessPeer(int* can, CUdevice, CUdevice) {
  ENTER(false);
  *can = 0;
  return CUDA_SUCCESS;
}

DRIVER CUresult cuDevicePrimaryCtxRetain(CUcontext* context, CUdevice device) {
  ENTER(false);
  if (!is_device(device)) return CUDA_ERROR_INVALID_DEVICE;
  *context = context_of_device(device);
  (*context)->retained++;
  return CUDA_SUCCESS;
}

// With the last one, what lives in the context is gone.
DRIVER CUresult cuDevicePrimaryCtxRelease(CUdevice device) {
  ENTER(false);
  const CUcontext context = is_device(device) ? context_of_device(device) : nullptr;
  if (context == nullptr) return CUDA_ERROR_INVALID_DEVICE;
  if (context->retained == 0) return CUDA_ERROR_INVALID_CONTEXT;
  if (--context->retained > 0) return CUDA_SUCCESS;
  drain_all(context);
  for (CUstream stream : context->streams) delete stream;
  context->streams.clear();
  free_all(context);
  context->failure = CUDA_SUCCESS;
  if (current_context() == context) current_context() = nullptr;
  return CUDA_SUCCESS;
}

DRIVER CUresult cuCtxSetCurrent(CUcontext context) {
  ENTER(false);
  current_context() = context;
  return CUDA_SUCCESS;
}

DRIVER CUresult cuCtxGetCurrent(CUcontext* context) {
  ENTER(false);
  *context = current_context();
  return CUDA_SUCCESS;
}

DRIVER CUresult cuCtxGetDevice(CUdevice* device) {
  ENTER(true);
  *device = current_context()->device;
  return CUDA_SUCCESS;
}

DRIVER CUresult cuCtxSynchronize() {
  ENTER(true);
  return drain_all(current_context());
}
