/** Every function of the driver that we call, as cuda.h declares it under the name that libcuda exports. */
export const DRIVER_PROTOTYPES = {
  cuInit: "CUresult cuInit(unsigned int Flags)",
  cuDriverGetVersion: "CUresult cuDriverGetVersion(int *driverVersion)",
  cuGetErrorName: "CUresult cuGetErrorName(CUresult error, const char **pStr)",
  cuDeviceGetCount: "CUresult cuDeviceGetCount(int *count)",
  cuDeviceGet: "CUresult cuDeviceGet(CUdevice *device, int ordinal)",
  cuDeviceGetName: "CUresult cuDeviceGetName(char *name, int len, CUdevice dev)",
  cuDeviceTotalMem: "CUresult cuDeviceTotalMem_v2(size_t *bytes, CUdevice dev)",
  cuDeviceGetAttribute: "CUresult cuDeviceGetAttribute(int *pi, CUdevice_attribute attrib, CUdevice dev)",
  cuDeviceGetDefaultMemPool: "CUresult cuDeviceGetDefaultMemPool(CUmemoryPool *pool_out, CUdevice dev)",
  cuDevicePrimaryCtxRetain: "CUresult cuDevicePrimaryCtxRetain(CUcontext *pctx, CUdevice dev)",
  cuDevicePrimaryCtxRelease: "CUresult cuDevicePrimaryCtxRelease_v2(CUdevice dev)",
  cuCtxSetCurrent: "CUresult cuCtxSetCurrent(CUcontext ctx)",
  cuMemGetInfo: "CUresult cuMemGetInfo_v2(size_t *free, size_t *total)",
  cuMemAlloc: "CUresult cuMemAlloc_v2(CUdeviceptr *dptr, size_t bytesize)",
  cuMemFree: "CUresult cuMemFree_v2(CUdeviceptr dptr)",
  cuMemAllocAsync: "CUresult cuMemAllocAsync(CUdeviceptr *dptr, size_t bytesize, CUstream hStream)",
  cuMemFreeAsync: "CUresult cuMemFreeAsync(CUdeviceptr dptr, CUstream hStream)",
  cuMemPoolSetAttribute:
    "CUresult cuMemPoolSetAttribute(CUmemoryPool pool, CUmemPool_attribute attr, void *value)",
  cuMemPoolTrimTo: "CUresult cuMemPoolTrimTo(CUmemoryPool pool, size_t minBytesToKeep)",
  cuMemHostAlloc: "CUresult cuMemHostAlloc(void **pp, size_t bytesize, unsigned int Flags)",
  cuMemFreeHost: "CUresult cuMemFreeHost(void *p)",
  cuMemcpyHtoDAsync:
    "CUresult cuMemcpyHtoDAsync_v2(CUdeviceptr dstDevice, const void *srcHost, size_t ByteCount, CUstream hStream)",
  cuMemcpyDtoHAsync:
    "CUresult cuMemcpyDtoHAsync_v2(void *dstHost, CUdeviceptr srcDevice, size_t ByteCount, CUstream hStream)",
  cuMemcpyDtoDAsync:
    "CUresult cuMemcpyDtoDAsync_v2(CUdeviceptr dstDevice, CUdeviceptr srcDevice, size_t ByteCount, CUstream hStream)",
  cuMemsetD16Async:
    "CUresult cuMemsetD16Async(CUdeviceptr dstDevice, unsigned short us, size_t N, CUstream hStream)",
  cuMemsetD32Async:
    "CUresult cuMemsetD32Async(CUdeviceptr dstDevice, unsigned int ui, size_t N, CUstream hStream)",
  cuStreamCreate: "CUresult cuStreamCreate(CUstream *phStream, unsigned int Flags)",
  cuStreamDestroy: "CUresult cuStreamDestroy_v2(CUstream hStream)",
  cuStreamSynchronize: "CUresult cuStreamSynchronize(CUstream hStream)",
  cuEventCreate: "CUresult cuEventCreate(CUevent *phEvent, unsigned int Flags)",
  cuEventRecord: "CUresult cuEventRecord(CUevent hEvent, CUstream hStream)",
  cuEventQuery: "CUresult cuEventQuery(CUevent hEvent)",
  cuEventSynchronize: "CUresult cuEventSynchronize(CUevent hEvent)",
  cuEventDestroy: "CUresult cuEventDestroy_v2(CUevent hEvent)",
  cuModuleLoadDataEx:
    "CUresult cuModuleLoadDataEx(CUmodule *module, const void *image, unsigned int numOptions, CUjit_option *options, void **optionValues)",
  cuModuleUnload: "CUresult cuModuleUnload(CUmodule hmod)",
  cuModuleGetFunction: "CUresult cuModuleGetFunction(CUfunction *hfunc, CUmodule hmod, const char *name)",
  cuFuncGetAttribute: "CUresult cuFuncGetAttribute(int *pi, CUfunction_attribute attrib, CUfunction hfunc)",
  cuFuncSetAttribute: "CUresult cuFuncSetAttribute(CUfunction hfunc, CUfunction_attribute attrib, int value)",
  cuLaunchKernel:
    "CUresult cuLaunchKernel(CUfunction f, unsigned int gridDimX, unsigned int gridDimY, unsigned int gridDimZ, unsigned int blockDimX, unsigned int blockDimY, unsigned int blockDimZ, unsigned int sharedMemBytes, CUstream hStream, void **kernelParams, void **extra)",
} as const;

/** A function of the driver, without the suffix of its version. */
export type DriverFunction = keyof typeof DRIVER_PROTOTYPES;
