// libcuda, NVRTC and cuBLASLt that do nothing: every call succeeds at once, so that what is left is the time of the host. Addresses
// are never used twice, memory that is pinned exists, and what is read is 0.
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#define OK(name) int name() { return 0; }

enum { MULTIPROCESSORS = 16, MAJOR = 75, MINOR = 76, SHARED_OPTIN = 97, MEMORY_POOLS = 115 };

static uint64_t next = 1ull << 40;

static int handle(uint64_t *result) {
  *result = ++next;
  return 0;
}

static int reserve(uint64_t *address, size_t bytes) {
  *address = next = (next + 511) / 512 * 512;
  next += bytes;
  return 0;
}

OK(cuInit)
OK(cuDevicePrimaryCtxRelease_v2)
OK(cuCtxSetCurrent)
OK(cuMemFree_v2)
OK(cuMemFreeAsync)
OK(cuMemPoolSetAttribute)
OK(cuMemPoolTrimTo)
OK(cuMemcpyHtoDAsync_v2)
OK(cuMemcpyDtoDAsync_v2)
OK(cuMemsetD16Async)
OK(cuMemsetD32Async)
OK(cuStreamDestroy_v2)
OK(cuStreamSynchronize)
OK(cuEventRecord)
OK(cuEventQuery)
OK(cuEventSynchronize)
OK(cuEventDestroy_v2)
OK(cuModuleUnload)
OK(cuFuncSetAttribute)
OK(cuLaunchKernel)

int cuDriverGetVersion(int *version) { return *version = 12090, 0; }
int cuGetErrorName(int error, const char **name) { return *name = "CUDA_ERROR_UNKNOWN", 0; }
int cuDeviceGetCount(int *count) { return *count = 1, 0; }
int cuDeviceGet(int *device, int ordinal) { return *device = ordinal, 0; }
int cuDeviceGetName(char *name, int length, int device) { return strncpy(name, "idle", (size_t)length), 0; }
int cuDeviceTotalMem_v2(size_t *bytes, int device) { return *bytes = 1ull << 40, 0; }
int cuDeviceGetDefaultMemPool(uint64_t *pool, int device) { return handle(pool); }
int cuDevicePrimaryCtxRetain(uint64_t *context, int device) { return handle(context); }
int cuMemGetInfo_v2(size_t *available, size_t *total) { return *available = *total = 1ull << 40, 0; }
int cuMemAlloc_v2(uint64_t *address, size_t bytes) { return reserve(address, bytes); }
int cuMemAllocAsync(uint64_t *address, size_t bytes, uint64_t stream) { return reserve(address, bytes); }
int cuMemHostAlloc(void **memory, size_t bytes, unsigned flags) { return *memory = calloc(bytes, 1), *memory == NULL; }
int cuMemFreeHost(void *memory) { return free(memory), 0; }
int cuMemcpyDtoHAsync_v2(void *to, uint64_t from, size_t bytes, uint64_t stream) { return memset(to, 0, bytes), 0; }
int cuStreamCreate(uint64_t *stream, unsigned flags) { return handle(stream); }
int cuEventCreate(uint64_t *event, unsigned flags) { return handle(event); }
int cuModuleLoadDataEx(uint64_t *module, const void *image, unsigned n, void *options, void *values) { return handle(module); }
int cuModuleGetFunction(uint64_t *function, uint64_t module, const char *name) { return handle(function); }
int cuFuncGetAttribute(int *value, int attribute, uint64_t function) { return *value = 0, 0; }

int cuDeviceGetAttribute(int *value, int attribute, int device) {
  switch (attribute) {
    case MAJOR: *value = 9; break;
    case MULTIPROCESSORS: *value = 132; break;
    case SHARED_OPTIN: *value = 227 * 1024; break;
    case MEMORY_POOLS: *value = 1; break;
    case MINOR:
    default: *value = 0;
  }
  return 0;
}

OK(nvrtcCompileProgram)
OK(nvrtcDestroyProgram)
int nvrtcVersion(int *major, int *minor) { return *major = 12, *minor = 9, 0; }
int nvrtcGetNumSupportedArchs(int *count) { return *count = 1, 0; }
int nvrtcGetSupportedArchs(int *architectures) { return architectures[0] = 90, 0; }
int nvrtcCreateProgram(uint64_t *program) { return handle(program); }
static int one(size_t *bytes) { return *bytes = 1, 0; }
static int zero(char *text) { return *text = 0, 0; }
int nvrtcGetPTXSize(uint64_t program, size_t *bytes) { return one(bytes); }
int nvrtcGetPTX(uint64_t program, char *text) { return zero(text); }
int nvrtcGetCUBINSize(uint64_t program, size_t *bytes) { return one(bytes); }
int nvrtcGetCUBIN(uint64_t program, char *text) { return zero(text); }
int nvrtcGetProgramLogSize(uint64_t program, size_t *bytes) { return one(bytes); }
int nvrtcGetProgramLog(uint64_t program, char *text) { return zero(text); }
const char *nvrtcGetErrorString(int code) { return "an error"; }

OK(cublasLtDestroy)
OK(cublasLtMatmulDescDestroy)
OK(cublasLtMatmulDescSetAttribute)
OK(cublasLtMatrixLayoutDestroy)
OK(cublasLtMatrixLayoutSetAttribute)
OK(cublasLtMatmulPreferenceDestroy)
OK(cublasLtMatmulPreferenceSetAttribute)
OK(cublasLtMatmul)
size_t cublasLtGetVersion(void) { return 120900; }
int cublasLtCreate(uint64_t *library) { return handle(library); }
int cublasLtMatmulDescCreate(uint64_t *description) { return handle(description); }
int cublasLtMatrixLayoutCreate(uint64_t *layout) { return handle(layout); }
int cublasLtMatmulPreferenceCreate(uint64_t *preference) { return handle(preference); }

int cublasLtMatmulAlgoGetHeuristic(uint64_t library, uint64_t description, uint64_t a, uint64_t b, uint64_t c, uint64_t d,
                                   uint64_t preference, int wanted, unsigned char *results, int *count) {
  memset(results, 0, 96);
  *count = 1;
  return 0;
}
