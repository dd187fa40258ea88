// Memory of devices, pinned memory, copies.
#include <algorithm>
#include <cstdlib>
#include <cstring>

#include "state.h"

namespace {

// A quiet NaN: what nobody wrote shows up in the results.
constexpr uint32_t GARBAGE = 0x7fc0dead;
constexpr size_t ALIGNMENT = 512;

size_t capacity() { return (size_t)state().settings.memoryMb << 20; }

CUresult allocate(CUcontext context, CUdeviceptr* address, size_t bytes) {
  if (bytes == 0) return CUDA_ERROR_INVALID_VALUE;
  // What is freed in the order of a stream may make room.
  if (context->used + bytes > capacity()) drain_all(context);
  if (context->failure != CUDA_SUCCESS) return context->failure;
  if (context->used + bytes > capacity()) return CUDA_ERROR_OUT_OF_MEMORY;
  const size_t rounded = (bytes + ALIGNMENT - 1) / ALIGNMENT * ALIGNMENT;
  auto* memory = static_cast<uint32_t*>(std::aligned_alloc(ALIGNMENT, rounded));
  if (memory == nullptr) return CUDA_ERROR_OUT_OF_MEMORY;
  std::fill_n(memory, rounded / 4, GARBAGE);
  *address = (CUdeviceptr)memory;
  context->allocations[*address] = bytes;
  context->used += bytes;
  context->peak = std::max(context->peak, context->used);
  return CUDA_SUCCESS;
}

CUresult release(CUcontext context, CUdeviceptr address) {
  if (address == 0) return CUDA_SUCCESS;
  auto found = context->allocations.find(address);
  if (found == context->allocations.end()) return CUDA_ERROR_INVALID_VALUE;
  context->used -= found->second;
  std::memset((void*)address, 0xdd, found->second);
  std::free((void*)address);
  context->allocations.erase(found);
  return CUDA_SUCCESS;
}

ptx::Range range_in(const std::map<CUdeviceptr, size_t>& memory, uint64_t address) {
  auto next = memory.upper_bound(address);
  if (next == memory.begin()) return {};
  --next;
  return { next->first, next->first + next->second };
}

bool is_pinned(const void* host) {
  auto& pinned = state().pinned;
  auto next = pinned.upper_bound(const_cast<void*>(host));
  if (next == pinned.begin()) return false;
  --next;
  return (const char*)host < (const char*)next->first + next->second.bytes;
}

CUresult copy(CUstream stream, void* to, const void* from, size_t bytes) {
  return push(stream, [=] {
    std::memmove(to, from, bytes);
    return CUDA_SUCCESS;
  });
}

bool within(CUdeviceptr address, size_t bytes) { return is_allocated(current_context(), address, bytes); }

}  // namespace

bool is_allocated(CUcontext context, CUdeviceptr address, size_t bytes) {
  const ptx::Range range = allocation_at(context, address);
  return address >= range.begin && address + bytes <= range.end;
}

ptx::Range allocation_at(CUcontext context, uint64_t address) {
  const ptx::Range table = range_in(context->tables, address);
  return address < table.end ? table : range_in(context->allocations, address);
}

void free_all(CUcontext context) {
  while (!context->allocations.empty()) release(context, context->allocations.begin()->first);
  auto& pinned = state().pinned;
  for (auto piece = pinned.begin(); piece != pinned.end();) {
    const bool own = piece->second.context == context;
    if (own) std::free(piece->first);
    piece = own ? pinned.erase(piece) : std::next(piece);
  }
}

DRIVER CUresult cuMemGetInfo(size_t* free, size_t* total) {
  ENTER(true);
  *total = capacity();
  *free = capacity() - std::min(capacity(), current_context()->used);
  return CUDA_SUCCESS;
}

DRIVER CUresult cuMemAlloc(CUdeviceptr* address, size_t bytes) {
  ENTER(true);
  return allocate(current_context(), address, bytes);
}

DRIVER CUresult cuMemFree(CUdeviceptr address) {
  ENTER(true);
  if (CUresult failure = drain_all(current_context())) return failure;
  return release(current_context(), address);
}

DRIVER CUresult cuMemAllocAsync(CUdeviceptr* address, size_t bytes, CUstream stream) {
  ENTER(true);
  if (!is_stream(stream)) return CUDA_ERROR_INVALID_HANDLE;
  return allocate(current_context(), address, bytes);
}

DRIVER CUresult cuMemFreeAsync(CUdeviceptr address, CUstream stream) {
  ENTER(true);
  if (!is_stream(stream)) return CUDA_ERROR_INVALID_HANDLE;
  const CUcontext context = current_context();
  if (context->allocations.count(address) == 0) return CUDA_ERROR_INVALID_VALUE;
  return push(stream_of(stream), [=] { return release(context, address); });
}

DRIVER CUresult cuDeviceGetDefaultMemPool(CUmemoryPool* pool, CUdevice device) {
  ENTER(false);
  const CUcontext context = context_of_device(device);
  if (context == nullptr) return CUDA_ERROR_INVALID_DEVICE;
  *pool = (CUmemoryPool)context;
  return CUDA_SUCCESS;
}

DRIVER CUresult cuMemPoolSetAttribute(CUmemoryPool, CUmemPool_attribute, void*) {
  ENTER(false);
  return CUDA_SUCCESS;
}

DRIVER CUresult cuMemPoolTrimTo(CUmemoryPool, size_t) {
  ENTER(false);
  return CUDA_SUCCESS;
}

DRIVER CUresult cuMemHostAlloc(void** memory, size_t bytes, unsigned) {
  ENTER(true);
  if (bytes == 0) return CUDA_ERROR_INVALID_VALUE;
  *memory = std::aligned_alloc(4096, (bytes + 4095) / 4096 * 4096);
  state().pinned[*memory] = { bytes, current_context() };
  return CUDA_SUCCESS;
}

DRIVER CUresult cuMemFreeHost(void* memory) {
  ENTER(true);
  if (state().pinned.erase(memory) == 0) return CUDA_ERROR_INVALID_VALUE;
  drain_all(current_context());
  std::free(memory);
  return CUDA_SUCCESS;
}

DRIVER CUresult cuMemcpyHtoD(CUdeviceptr to, const void* from, size_t bytes) {
  ENTER(true);
  if (bytes > 0 && !within(to, bytes)) return CUDA_ERROR_INVALID_VALUE;
  copy(current_context()->default_stream, (void*)to, from, bytes);
  return drain_all(current_context());
}

DRIVER CUresult cuMemcpyDtoH(void* to, CUdeviceptr from, size_t bytes) {
  ENTER(true);
  if (bytes > 0 && !within(from, bytes)) return CUDA_ERROR_INVALID_VALUE;
  copy(current_context()->default_stream, to, (void*)from, bytes);
  return drain_all(current_context());
}

DRIVER CUresult cuMemcpyDtoD(CUdeviceptr to, CUdeviceptr from, size_t bytes) {
  ENTER(true);
  if (bytes > 0 && (!within(to, bytes) || !within(from, bytes))) return CUDA_ERROR_INVALID_VALUE;
  return copy(current_context()->default_stream, (void*)to, (void*)from, bytes);
}

DRIVER CUresult cuMemcpyHtoDAsync(CUdeviceptr to, const void* from, size_t bytes, CUstream stream) {
  ENTER(true);
  if (!is_stream(stream)) return CUDA_ERROR_INVALID_HANDLE;
  if (bytes > 0 && !within(to, bytes)) return CUDA_ERROR_INVALID_VALUE;
  // Memory that is not pinned is read before the call returns, as by the real driver.
  if (is_pinned(from)) return copy(stream_of(stream), (void*)to, from, bytes);
  auto staged = std::make_shared<std::vector<uint8_t>>((const uint8_t*)from, (const uint8_t*)from + bytes);
  return push(stream_of(stream), [=] {
    std::memcpy((void*)to, staged->data(), bytes);
    return CUDA_SUCCESS;
  });
}

DRIVER CUresult cuMemcpyDtoHAsync(void* to, CUdeviceptr from, size_t bytes, CUstream stream) {
  ENTER(true);
  if (!is_stream(stream)) return CUDA_ERROR_INVALID_HANDLE;
  if (bytes > 0 && !within(from, bytes)) return CUDA_ERROR_INVALID_VALUE;
  const CUresult code = copy(stream_of(stream), to, (void*)from, bytes);
  return is_pinned(to) ? code : drain(stream_of(stream));
}

DRIVER CUresult cuMemcpyDtoDAsync(CUdeviceptr to, CUdeviceptr from, size_t bytes, CUstream stream) {
  ENTER(true);
  if (!is_stream(stream)) return CUDA_ERROR_INVALID_HANDLE;
  if (bytes > 0 && (!within(to, bytes) || !within(from, bytes))) return CUDA_ERROR_INVALID_VALUE;
  return copy(stream_of(stream), (void*)to, (void*)from, bytes);
}

DRIVER CUresult cuMemsetD8Async(CUdeviceptr to, unsigned char value, size_t count, CUstream stream) {
  ENTER(true);
  if (!is_stream(stream)) return CUDA_ERROR_INVALID_HANDLE;
  if (count > 0 && !within(to, count)) return CUDA_ERROR_INVALID_VALUE;
  return push(stream_of(stream), [=] {
    std::memset((void*)to, value, count);
    return CUDA_SUCCESS;
  });
}

DRIVER CUresult cuMemsetD16Async(CUdeviceptr to, unsigned short value, size_t count, CUstream stream) {
  ENTER(true);
  if (!is_stream(stream)) return CUDA_ERROR_INVALID_HANDLE;
  if (to % 2 != 0 || (count > 0 && !within(to, count * 2))) return CUDA_ERROR_INVALID_VALUE;
  return push(stream_of(stream), [=] {
    std::fill_n((uint16_t*)to, count, value);
    return CUDA_SUCCESS;
  });
}

DRIVER CUresult cuMemsetD32Async(CUdeviceptr to, unsigned value, size_t count, CUstream stream) {
  ENTER(true);
  if (!is_stream(stream)) return CUDA_ERROR_INVALID_HANDLE;
  if (to % 4 != 0 || (count > 0 && !within(to, count * 4))) return CUDA_ERROR_INVALID_VALUE;
  return push(stream_of(stream), [=] {
    std::fill_n((uint32_t*)to, count, value);
    return CUDA_SUCCESS;
  });
}
