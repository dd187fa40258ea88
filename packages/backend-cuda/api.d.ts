import * as tf from '@tensorflow/tfjs-core';
import { BasicError, Precision, Collective } from '@basic-mllm/core';

/** A structure that is passed by value. */
interface ForeignStructure {
    readonly bytes: Uint8Array;
}
/** Scalars, handles and addresses are numbers; typed arrays are passed in place. */
type ForeignArgument = number | bigint | string | readonly string[] | ArrayBufferView | ForeignStructure | null;
/** A bound C function. Those that return a text are called through {@link textOf}. */
type ForeignFunction = (...args: readonly ForeignArgument[]) => number;
/** C functions by the name that we call them. */
type Foreign<Name extends string> = Readonly<Record<Name, ForeignFunction>>;

/** Every function of the driver that we call, as cuda.h declares it under the name that libcuda exports. */
declare const DRIVER_PROTOTYPES: {
    readonly cuInit: "CUresult cuInit(unsigned int Flags)";
    readonly cuDriverGetVersion: "CUresult cuDriverGetVersion(int *driverVersion)";
    readonly cuGetErrorName: "CUresult cuGetErrorName(CUresult error, const char **pStr)";
    readonly cuDeviceGetCount: "CUresult cuDeviceGetCount(int *count)";
    readonly cuDeviceGet: "CUresult cuDeviceGet(CUdevice *device, int ordinal)";
    readonly cuDeviceGetName: "CUresult cuDeviceGetName(char *name, int len, CUdevice dev)";
    readonly cuDeviceTotalMem: "CUresult cuDeviceTotalMem_v2(size_t *bytes, CUdevice dev)";
    readonly cuDeviceGetAttribute: "CUresult cuDeviceGetAttribute(int *pi, CUdevice_attribute attrib, CUdevice dev)";
    readonly cuDeviceGetDefaultMemPool: "CUresult cuDeviceGetDefaultMemPool(CUmemoryPool *pool_out, CUdevice dev)";
    readonly cuDevicePrimaryCtxRetain: "CUresult cuDevicePrimaryCtxRetain(CUcontext *pctx, CUdevice dev)";
    readonly cuDevicePrimaryCtxRelease: "CUresult cuDevicePrimaryCtxRelease_v2(CUdevice dev)";
    readonly cuCtxSetCurrent: "CUresult cuCtxSetCurrent(CUcontext ctx)";
    readonly cuMemGetInfo: "CUresult cuMemGetInfo_v2(size_t *free, size_t *total)";
    readonly cuMemAlloc: "CUresult cuMemAlloc_v2(CUdeviceptr *dptr, size_t bytesize)";
    readonly cuMemFree: "CUresult cuMemFree_v2(CUdeviceptr dptr)";
    readonly cuMemAllocAsync: "CUresult cuMemAllocAsync(CUdeviceptr *dptr, size_t bytesize, CUstream hStream)";
    readonly cuMemFreeAsync: "CUresult cuMemFreeAsync(CUdeviceptr dptr, CUstream hStream)";
    readonly cuMemPoolSetAttribute: "CUresult cuMemPoolSetAttribute(CUmemoryPool pool, CUmemPool_attribute attr, void *value)";
    readonly cuMemPoolTrimTo: "CUresult cuMemPoolTrimTo(CUmemoryPool pool, size_t minBytesToKeep)";
    readonly cuMemHostAlloc: "CUresult cuMemHostAlloc(void **pp, size_t bytesize, unsigned int Flags)";
    readonly cuMemFreeHost: "CUresult cuMemFreeHost(void *p)";
    readonly cuMemcpyHtoDAsync: "CUresult cuMemcpyHtoDAsync_v2(CUdeviceptr dstDevice, const void *srcHost, size_t ByteCount, CUstream hStream)";
    readonly cuMemcpyDtoHAsync: "CUresult cuMemcpyDtoHAsync_v2(void *dstHost, CUdeviceptr srcDevice, size_t ByteCount, CUstream hStream)";
    readonly cuMemcpyDtoDAsync: "CUresult cuMemcpyDtoDAsync_v2(CUdeviceptr dstDevice, CUdeviceptr srcDevice, size_t ByteCount, CUstream hStream)";
    readonly cuMemsetD16Async: "CUresult cuMemsetD16Async(CUdeviceptr dstDevice, unsigned short us, size_t N, CUstream hStream)";
    readonly cuMemsetD32Async: "CUresult cuMemsetD32Async(CUdeviceptr dstDevice, unsigned int ui, size_t N, CUstream hStream)";
    readonly cuStreamCreate: "CUresult cuStreamCreate(CUstream *phStream, unsigned int Flags)";
    readonly cuStreamDestroy: "CUresult cuStreamDestroy_v2(CUstream hStream)";
    readonly cuStreamSynchronize: "CUresult cuStreamSynchronize(CUstream hStream)";
    readonly cuEventCreate: "CUresult cuEventCreate(CUevent *phEvent, unsigned int Flags)";
    readonly cuEventRecord: "CUresult cuEventRecord(CUevent hEvent, CUstream hStream)";
    readonly cuEventQuery: "CUresult cuEventQuery(CUevent hEvent)";
    readonly cuEventSynchronize: "CUresult cuEventSynchronize(CUevent hEvent)";
    readonly cuEventDestroy: "CUresult cuEventDestroy_v2(CUevent hEvent)";
    readonly cuModuleLoadDataEx: "CUresult cuModuleLoadDataEx(CUmodule *module, const void *image, unsigned int numOptions, CUjit_option *options, void **optionValues)";
    readonly cuModuleUnload: "CUresult cuModuleUnload(CUmodule hmod)";
    readonly cuModuleGetFunction: "CUresult cuModuleGetFunction(CUfunction *hfunc, CUmodule hmod, const char *name)";
    readonly cuFuncGetAttribute: "CUresult cuFuncGetAttribute(int *pi, CUfunction_attribute attrib, CUfunction hfunc)";
    readonly cuFuncSetAttribute: "CUresult cuFuncSetAttribute(CUfunction hfunc, CUfunction_attribute attrib, int value)";
    readonly cuLaunchKernel: "CUresult cuLaunchKernel(CUfunction f, unsigned int gridDimX, unsigned int gridDimY, unsigned int gridDimZ, unsigned int blockDimX, unsigned int blockDimY, unsigned int blockDimZ, unsigned int sharedMemBytes, CUstream hStream, void **kernelParams, void **extra)";
};
/** A function of the driver, without the suffix of its version. */
type DriverFunction = keyof typeof DRIVER_PROTOTYPES;

/** What we ask of a device before we use it. */
interface DeviceProperties {
    /** Handle of the driver. */
    readonly handle: number;
    readonly index: number;
    readonly name: string;
    readonly totalBytes: number;
    /** Compute capability times ten: 90 for sm_90. */
    readonly architecture: number;
    readonly multiprocessors: number;
    /** Bytes of shared memory that a block may ask for. */
    readonly sharedBytes: number;
    readonly hasMemoryPools: boolean;
}
/** libcuda: checked calls, and the questions that need several. Calls go to the context that is current on this thread. */
declare class Driver {
    #private;
    readonly api: Foreign<DriverFunction>;
    readonly path: string;
    /**
     * @param api - Functions to call instead of the library's.
     * @throws Error where the library is missing, or lacks a function.
     */
    constructor(path: string, api?: Readonly<Record<"cuInit" | "cuDriverGetVersion" | "cuGetErrorName" | "cuDeviceGetCount" | "cuDeviceGet" | "cuDeviceGetName" | "cuDeviceTotalMem" | "cuDeviceGetAttribute" | "cuDeviceGetDefaultMemPool" | "cuDevicePrimaryCtxRetain" | "cuDevicePrimaryCtxRelease" | "cuCtxSetCurrent" | "cuMemGetInfo" | "cuMemAlloc" | "cuMemFree" | "cuMemAllocAsync" | "cuMemFreeAsync" | "cuMemPoolSetAttribute" | "cuMemPoolTrimTo" | "cuMemHostAlloc" | "cuMemFreeHost" | "cuMemcpyHtoDAsync" | "cuMemcpyDtoHAsync" | "cuMemcpyDtoDAsync" | "cuMemsetD16Async" | "cuMemsetD32Async" | "cuStreamCreate" | "cuStreamDestroy" | "cuStreamSynchronize" | "cuEventCreate" | "cuEventRecord" | "cuEventQuery" | "cuEventSynchronize" | "cuEventDestroy" | "cuModuleLoadDataEx" | "cuModuleUnload" | "cuModuleGetFunction" | "cuFuncGetAttribute" | "cuFuncSetAttribute" | "cuLaunchKernel", ForeignFunction>>);
    /** @throws DriverError for any answer but success. */
    call(name: DriverFunction, ...args: readonly ForeignArgument[]): void;
    /** Calls a function whose first parameter is where it writes a handle or an address. */
    handleFrom(name: DriverFunction, ...args: readonly ForeignArgument[]): number;
    /** Calls a function whose first parameter is where it writes an int. */
    integerFrom(name: DriverFunction, ...args: readonly ForeignArgument[]): number;
    /** `CUDA_ERROR_OUT_OF_MEMORY` for 2. */
    nameOf(code: number): string;
    /** Newest CUDA that the driver knows: 12090 for 12.9. */
    version(): number;
    /** Free and all memory of the current context's device, in bytes. */
    memory(): {
        readonly free: number;
        readonly total: number;
    };
    /** The properties of device `index`. */
    device(index: number): DeviceProperties;
}

/**
 * A device in use: its primary context, current on this thread, and one stream that everything goes through in the order of
 * the calls. What fails is said as a BasicError; after a fault that ends the context, by every call.
 */
declare class Session {
    #private;
    readonly driver: Driver;
    readonly device: DeviceProperties;
    readonly stream: number;
    /** Whether every launch is waited for, so that a fault names its kernel. */
    readonly synchronous: boolean;
    /** Asked now and then while the process waits for the device, and at the end. What it throws ends the wait. */
    whileWaiting: (() => void) | undefined;
    constructor(driver: Driver, device: DeviceProperties, synchronous: boolean);
    /** Kernels launched so far. */
    get launches(): number;
    /** What ended the context, if anything did: a fault, or {@link close}. */
    get failure(): BasicError | undefined;
    /** @throws BasicError what ended the context. */
    check(): void;
    /** @throws BasicError for any answer but success. */
    call(name: DriverFunction, ...args: readonly ForeignArgument[]): void;
    /** As {@link Driver.handleFrom}. */
    handleFrom(name: DriverFunction, ...args: readonly ForeignArgument[]): number;
    /** An event that can be asked and waited for; {@link destroyEvent} or {@link close} ends it. */
    createEvent(): number;
    /** Ends an event, unless {@link close} has done so. */
    destroyEvent(event: number): void;
    /** The error for an answer of the driver; keeps it where the context is gone. */
    explain(call: DriverFunction, code: number): BasicError;
    /** Notes a launch, and waits for it where that was asked for. */
    launched(kernel: string): void;
    /** Waits for everything on the stream. */
    synchronize(): void;
    /** The first `launches` launches are known to have ended well. */
    settled(launches?: number): void;
    /** Gives the context back. What lives in it is gone, and what still waits for the device hears that. */
    close(): void;
}

/** How float32 values are kept in device memory: as they are, or rounded to bfloat16. Integers always have four bytes. */
type ElementStorage = "f32" | "bf16";

/** What a launch does at least: the roofline of the kernel. */
interface Work {
    /** Bytes between the device's memory and its caches. */
    readonly bytes: number;
    /** Floating-point operations. */
    readonly flops: number;
    /** Tensor cores that do them, by what they round operands to. Absent: CUDA cores, in float32. */
    readonly units?: "tf32" | "bf16";
}
/** A launch, or what else is enqueued, of a rehearsal. */
interface RehearsedWork extends Work {
    /** Of the program; `product nt`, `copy`, `fill`. */
    readonly name: string;
    /** What computes it: CUDA cores, cuBLASLt, or the driver by itself. */
    readonly kind: "kernel" | "product" | "memory";
    /** Rows, columns and depth of a product. */
    readonly shape?: readonly [rows: number, columns: number, depth: number];
    /** How the factors of a product are kept. */
    readonly factors?: ElementStorage;
}
/** Elements that an argument points to; an array of the host has four bytes each. */
declare function countOf(pointer: Pointer): number;
/** Bytes that arguments point to, each of them once. */
declare function bytesOf(...pointers: readonly Pointer[]): number;

/**
 * Type of a kernel's parameter. Pointers are to the first element of a tensor, or of an array from the host: `pointer` to four
 * bytes each; `activation` to what the program calls `Stored`, float32 or bfloat16, in all of them alike; `stored` to elements
 * that are kept as this one program is compiled for.
 */
type ParameterType = PointerType | "i32" | "u32" | "i64" | "f32";
/** A type of pointer: see {@link ParameterType}. */
type PointerType = "pointer" | "activation" | "stored";
/** One kernel of a CUDA source, with what is fixed when it is compiled. */
interface Program<Params extends Parameters = Parameters> {
    /** Names the kernel, and the variant where it has several. Two programs of one name are the same. */
    readonly name: string;
    /** Text of the `.cu` file. It may include the shared headers by name: `#include "reduce.cuh"`. */
    readonly source: string;
    /** The `extern "C" __global__` function. */
    readonly entry: string;
    /** `-DNAME=VALUE`: one source, several kernels. */
    readonly defines?: Readonly<Record<string, number | string>>;
    /** Parameters in the order of the kernel's. */
    readonly params: Params;
    /** Threads of a block along x, y, z. */
    readonly block: number | readonly [number, number?, number?];
    /** Oldest architecture that it compiles for: 80 for sm_80. Default: every one that the backend starts on. */
    readonly oldest?: number;
    /** Bytes of dynamic shared memory, unless the dispatch says otherwise. */
    readonly sharedBytes?: number;
    /**
     * What a launch does, as the kernel's source says it: for rooflines.
     *
     * @param args - Of the launch.
     * @param grid - Its blocks along x, y and z.
     */
    work(args: Arguments<Params>, grid: readonly [number, number, number]): Work;
}
/** What is compiled and loaded of a program, whatever the names of its parameters. */
type KernelProgram = Omit<Program, "work">;
/** Names and types, in order. */
type Parameters = Readonly<Record<string, ParameterType>>;
/** Infers the names of a {@link Program}. */
declare function defineProgram<const Params extends Parameters>(program: Program<Params>): Program<Params>;

/** Compiled kernels in a folder, by the hash of everything that they depend on. Several processes may use it at once. */
declare class ImageCache {
    #private;
    readonly folder: string;
    /** Why the last image could not be written, if so: it is compiled again by the next process. */
    problem: string | undefined;
    constructor(folder: string);
    /** The image of a key; undefined where there is none, or one that is damaged. */
    read(key: string): Uint8Array | undefined;
    /** Keeps an image: whole or not at all. */
    write(key: string, image: Uint8Array): void;
    /** Forgets an image. */
    remove(key: string): void;
}

/** A source and how to compile it. */
interface Compilation {
    /** Name of the file in messages. */
    readonly name: string;
    readonly source: string;
    /** Texts of `#include "NAME"`. */
    readonly headers: Readonly<Record<string, string>>;
    readonly options: readonly string[];
}
/** What NVRTC made of a source. */
interface Compiled {
    readonly ptx: Uint8Array;
    /** Machine code, where the options name a real architecture (`sm_90`). */
    readonly cubin: Uint8Array | undefined;
    readonly log: string;
}
/** NVIDIA's run-time compiler. It needs no GPU. */
declare class Nvrtc {
    #private;
    readonly path: string;
    /** As the driver counts: 12090 for 12.9. */
    readonly version: number;
    /** Architectures that it knows: 90 for sm_90. */
    readonly architectures: readonly number[];
    /** @throws Error where the library is missing, or lacks a function. */
    constructor(path: string);
    /** @throws CompileError for a source that does not compile. */
    compile({ name, source, headers, options }: Compilation): Compiled;
}

/** `cubin`: machine code for one architecture. `ptx`: assembly that the driver compiles for the device. */
type ImageKind = "cubin" | "ptx";
/** What kernels are compiled to. */
interface Target {
    readonly kind: ImageKind;
    /** For NVRTC: `sm_90`, `compute_90`. */
    readonly architecture: string;
}

/** A compiled source. */
interface Image {
    readonly target: Target;
    /** PTX ends in a zero byte, as the driver expects it. */
    readonly bytes: Uint8Array;
    readonly key: string;
}
/** Compiles programs, or takes what an earlier process compiled. */
declare class Compiler {
    #private;
    readonly nvrtc: Nvrtc;
    readonly cache: ImageCache;
    constructor(nvrtc: Nvrtc, cache: ImageCache);
    /** Sources compiled by this process. */
    get compilations(): number;
    /** @throws BasicError `E_KERNEL_FAILED` for a source that does not compile: the kernel, its lines, the compiler's log. */
    image(program: KernelProgram, target: Target): Image;
}

/** A loaded kernel and the native block that its arguments are packed into: no launch allocates. */
interface LoadedKernel {
    readonly program: KernelProgram;
    /** Of the driver. */
    readonly handle: number;
    readonly block: readonly [number, number, number];
    readonly names: readonly string[];
    readonly types: readonly ParameterType[];
    /** Address of the array of pointers to the arguments. */
    readonly parameters: number;
    /** Arguments, 8 bytes apart. */
    readonly words: Uint32Array;
    readonly floats: Float32Array;
    /** Bytes of shared memory that its code declares. */
    readonly staticSharedBytes: number;
    /** Dynamic shared memory that it may ask for. */
    allowedSharedBytes: number;
}
/** What a cache needs. */
interface KernelCacheOptions {
    readonly session: Session;
    readonly compiler: Compiler;
    readonly target: Target;
}
/** Kernels by name, compiled and loaded when they are first used. */
declare class KernelCache {
    #private;
    constructor(options: KernelCacheOptions);
    /** What compiles them. */
    get compiler(): Compiler;
    /** Number of loaded kernels. */
    get size(): number;
    /** What kernels are compiled to. */
    get target(): Target;
    /**
     * The loaded kernel of a program.
     *
     * @throws BasicError `E_KERNEL_FAILED` where it does not compile, or is another program under a known name.
     */
    get(program: KernelProgram): LoadedKernel;
    /**
     * Lets a kernel use so much dynamic shared memory.
     *
     * @throws BasicError `E_KERNEL_FAILED` where the device has less.
     */
    allowShared(kernel: LoadedKernel, bytes: number): void;
    /** Unloads everything. */
    dispose(): void;
}

/** Where an allocator takes memory from. */
interface DeviceMemory {
    /** Address of new memory with arbitrary content; undefined where there is none left. */
    allocate(bytes: number): number | undefined;
    /** Gives memory back, after everything that was enqueued so far. */
    release(address: number): void;
    /** Waits until released memory can be allocated in any size. */
    trim(): void;
}
/** Memory of the device. Its content is arbitrary. */
interface Block {
    readonly address: number;
    /** Size of its class: at least what was asked for. */
    readonly bytes: number;
}
/** Counters of an allocator, in bytes and calls. */
interface MemoryStatistics {
    /** In blocks that are in use. */
    readonly usedBytes: number;
    /** In all blocks. */
    readonly reservedBytes: number;
    readonly peakUsedBytes: number;
    readonly peakReservedBytes: number;
    readonly usedBlocks: number;
    /** Calls of `allocate`, and how many of them took a free block. */
    readonly allocations: number;
    readonly reused: number;
    /** Times that all free blocks were given back because memory was short. */
    readonly flushes: number;
}
/** How an allocator behaves. */
interface AllocatorOptions {
    readonly memory: DeviceMemory;
    /** Bytes that it never exceeds. Default: what the device has. */
    readonly limit?: number | undefined;
    /**
     * Blocks are as large as asked for, new each time, and go back at once: tools that watch memory then see every access
     * beyond an end, and every read of what was not written. Slow.
     */
    readonly exact?: boolean | undefined;
    /** The error where there is no memory for so many bytes even without free blocks. */
    readonly explain: (bytes: number, statistics: MemoryStatistics) => Error;
}
/**
 * Blocks by size class that are used again as soon as they are free: commands go through one stream, so the next user of
 * a block runs after the one before. Row counts of packed batches differ from step to step; classes between powers of
 * two make blocks fit all the same.
 */
declare class CachingAllocator {
    #private;
    constructor(options: AllocatorOptions);
    /** A copy of the counters. */
    get statistics(): MemoryStatistics;
    /** An allocator of other memory that starts with as many free blocks of each size, and nothing in use. */
    twin(memory: DeviceMemory): CachingAllocator;
    /** Sets the peaks to what is used and reserved now. */
    resetPeaks(): void;
    /** A block of at least so many bytes. When memory is short, free blocks are given back first. */
    allocate(bytes: number): Block;
    /** Takes a block back. Commands that were enqueued before may still use it. */
    release(block: Block): void;
    /** Gives all free blocks back to the device. */
    flush(): void;
    /** Gives everything back, also what is in use. */
    dispose(): void;
}

/** Values that stay on the host until a kernel reads them, such as offsets; 64-bit ones are addresses. */
type HostArray = Int32Array | Uint32Array | Float32Array | BigUint64Array;

/** Part of a tensor's elements. */
interface Part {
    readonly tensor: tf.TensorInfo;
    /** In elements. */
    readonly offset: number;
    readonly length: number;
}
/** What a pointer can be to: device memory, or an array of the host, which is copied there. `null` is the null pointer. */
type Pointer = tf.TensorInfo | Part | HostArray | null;
/** Arguments of a kernel by the names of its parameters. */
type Arguments<Params extends Parameters> = {
    readonly [Name in keyof Params]: Params[Name] extends PointerType ? Pointer : number;
};

/** Every function of cuBLASLt that we call, as cublasLt.h declares it. */
declare const CUBLASLT_PROTOTYPES: {
    readonly cublasLtGetVersion: "size_t cublasLtGetVersion()";
    readonly cublasLtCreate: "cublasStatus_t cublasLtCreate(cublasLtHandle_t *lightHandle)";
    readonly cublasLtDestroy: "cublasStatus_t cublasLtDestroy(cublasLtHandle_t lightHandle)";
    readonly cublasLtMatmulDescCreate: "cublasStatus_t cublasLtMatmulDescCreate(cublasLtMatmulDesc_t *matmulDesc, cublasComputeType_t computeType, cudaDataType_t scaleType)";
    readonly cublasLtMatmulDescDestroy: "cublasStatus_t cublasLtMatmulDescDestroy(cublasLtMatmulDesc_t matmulDesc)";
    readonly cublasLtMatmulDescSetAttribute: "cublasStatus_t cublasLtMatmulDescSetAttribute(cublasLtMatmulDesc_t matmulDesc, cublasLtMatmulDescAttributes_t attr, const void *buf, size_t sizeInBytes)";
    readonly cublasLtMatrixLayoutCreate: "cublasStatus_t cublasLtMatrixLayoutCreate(cublasLtMatrixLayout_t *matLayout, cudaDataType type, uint64_t rows, uint64_t cols, int64_t ld)";
    readonly cublasLtMatrixLayoutDestroy: "cublasStatus_t cublasLtMatrixLayoutDestroy(cublasLtMatrixLayout_t matLayout)";
    readonly cublasLtMatrixLayoutSetAttribute: "cublasStatus_t cublasLtMatrixLayoutSetAttribute(cublasLtMatrixLayout_t matLayout, cublasLtMatrixLayoutAttribute_t attr, const void *buf, size_t sizeInBytes)";
    readonly cublasLtMatmulPreferenceCreate: "cublasStatus_t cublasLtMatmulPreferenceCreate(cublasLtMatmulPreference_t *pref)";
    readonly cublasLtMatmulPreferenceDestroy: "cublasStatus_t cublasLtMatmulPreferenceDestroy(cublasLtMatmulPreference_t pref)";
    readonly cublasLtMatmulPreferenceSetAttribute: "cublasStatus_t cublasLtMatmulPreferenceSetAttribute(cublasLtMatmulPreference_t pref, cublasLtMatmulPreferenceAttributes_t attr, const void *buf, size_t sizeInBytes)";
    readonly cublasLtMatmulAlgoGetHeuristic: "cublasStatus_t cublasLtMatmulAlgoGetHeuristic(cublasLtHandle_t lightHandle, cublasLtMatmulDesc_t operationDesc, cublasLtMatrixLayout_t Adesc, cublasLtMatrixLayout_t Bdesc, cublasLtMatrixLayout_t Cdesc, cublasLtMatrixLayout_t Ddesc, cublasLtMatmulPreference_t preference, int requestedAlgoCount, cublasLtMatmulHeuristicResult_t *heuristicResultsArray, int *returnAlgoCount)";
    readonly cublasLtMatmul: "cublasStatus_t cublasLtMatmul(cublasLtHandle_t lightHandle, cublasLtMatmulDesc_t computeDesc, const void *alpha, const void *A, cublasLtMatrixLayout_t Adesc, const void *B, cublasLtMatrixLayout_t Bdesc, const void *beta, const void *C, cublasLtMatrixLayout_t Cdesc, void *D, cublasLtMatrixLayout_t Ddesc, const cublasLtMatmulAlgo_t *algo, void *workspace, size_t workspaceSizeInBytes, cudaStream_t stream)";
};
/** A function of cuBLASLt. */
type BlasFunction = keyof typeof CUBLASLT_PROTOTYPES;

/** What the result goes through on its way out. */
type Epilogue = "none" | "gelu-tanh";
/**
 * A product of row-major matrices: `result [rows, columns]`. `nt`: left `[rows, depth]`, weight `[columns, depth]`; `nn`:
 * weight `[depth, columns]`; `tn`: left `[depth, rows]`, weight `[depth, columns]`.
 */
interface ProductShape {
    readonly layout: "nt" | "nn" | "tn";
    readonly rows: number;
    readonly columns: number;
    readonly depth: number;
    readonly bias: boolean;
    readonly epilogue: Epilogue;
    /** Independent products, one after the other in memory. 1 for a plain product. */
    readonly batch: number;
    /** How both factors are kept. Sums are in float32. */
    readonly factors: ElementStorage;
    /** How the result and the bias are kept; `f32` unless the factors are in bf16. */
    readonly kept: ElementStorage;
}
/** Addresses of a product. */
interface ProductOperands {
    readonly left: number;
    readonly weight: number;
    readonly result: number;
    /** `[columns]`; 0 without bias. */
    readonly bias: number;
    /** Adds to `result` instead of writing it. */
    readonly accumulate: boolean;
}
/** The library, and where it is. */
interface BlasLibrary {
    readonly path: string;
    readonly api: Foreign<BlasFunction>;
}
/** How products are computed. */
interface BlasOptions {
    readonly session: Session;
    readonly allocator: CachingAllocator;
    readonly library: BlasLibrary;
    /** Rounds float32 factors to 10 bits of mantissa, for tensor cores. */
    readonly tf32: boolean;
}
/** Matrix products by cuBLASLt. Descriptions and algorithms are kept by shape. */
declare class BlasLt {
    #private;
    /** What products take beside their operands. */
    static readonly workspaceBytes: number;
    /** @throws BasicError `E_KERNEL_FAILED` where the library does not start. */
    constructor(options: BlasOptions);
    /** The library, and where it is. */
    get library(): BlasLibrary;
    /** Whether the workspace has been taken. */
    get hasWorkspace(): boolean;
    /** Products that were described so far. */
    get plans(): number;
    /** Enqueues a product. */
    multiply(shape: ProductShape, { left, weight, result, bias, accumulate }: ProductOperands): void;
    /** Gives everything back. */
    dispose(): void;
}

/** Name of this backend in tfjs. */
declare const BACKEND_NAME = "basiccuda";
type DataId = tf.TensorInfo["dataId"];
type Values = tf.backend_util.BackendValues;
/** One launch of a program. */
interface Dispatch<Params extends Parameters> {
    /** Blocks along x, y, z. None along one of them: nothing runs. */
    readonly grid: readonly [number, number?, number?];
    readonly args: Arguments<Params>;
    /** Bytes of dynamic shared memory. Default: the program's. */
    readonly sharedBytes?: number;
}
/** What a backend is made of. */
interface BackendParts {
    readonly session: Session;
    /** What makes kernels. Absent: the device is imagined, so that everything is a rehearsal. */
    readonly compilation?: {
        readonly compiler: Compiler;
        readonly target: Target;
    };
    /** Opens cuBLASLt when the first product needs it. */
    readonly openBlas: (backend: CudaBackend) => BlasLt;
    /** Bytes of device memory that are never exceeded. */
    readonly memoryLimit?: number | undefined;
    /** Memory without rounding and reuse, for tools that watch it. */
    readonly exactMemory?: boolean | undefined;
    /** How products treat their operands, and with `bf16` how activations are kept. Default `f32`. */
    readonly precision?: Precision | undefined;
}
/** tfjs's backend on an NVIDIA GPU: everything goes through one stream, in the order of the calls. */
declare class CudaBackend extends tf.KernelBackend {
    #private;
    /** @internal */
    readonly session: Session;
    /** How products treat their operands, and with `bf16` how activations are kept; sums, losses and weights are float32. */
    readonly precision: Precision;
    /** @internal */
    readonly allocator: CachingAllocator;
    /** @internal */
    constructor({ session, compilation, openBlas, ...options }: BackendParts);
    /** Whether the device is imagined: everything is a rehearsal. */
    get imagined(): boolean;
    /**
     * Kernels on this device.
     *
     * @internal
     */
    get kernels(): KernelCache;
    /**
     * cuBLASLt on this device.
     *
     * @internal
     */
    get blas(): BlasLt;
    /** Synchronous reads so far: each of them waits for the device and holds up the process. */
    get blockingReads(): number;
    /** Host arrays whose copies on the device are kept: at most 1024. */
    get hostArrays(): number;
    /** Runs a program. Nothing waits for it. */
    dispatch<Params extends Parameters>(program: Program<Params>, { grid: [x, y, z], args, sharedBytes }: Dispatch<Params>): void;
    /** Address of a tensor's, a part's or a host array's elements on the device. */
    addressOf(pointer: Pointer): number;
    /** Addresses of tensors, as an array that a kernel can be given: one launch for many of them. */
    addressesOf(pointers: readonly Pointer[]): BigUint64Array;
    /** A new tensor with arbitrary content. Floats may be kept in bfloat16: whoever reads them gets float32. */
    allocate(shape: readonly number[], dtype?: tf.DataType, storage?: ElementStorage): tf.TensorInfo;
    /** Whether another tensor has the same memory. */
    isShared({ dataId }: tf.TensorInfo): boolean;
    /** The same data under another shape; adds a reference. */
    alias(tensor: tf.TensorInfo, shape?: readonly number[]): tf.TensorInfo;
    /** Copies the elements of a tensor into one of the same size, which may keep them in another way. */
    copy(source: tf.TensorInfo | Part, target: tf.TensorInfo | Part): void;
    /** Sets every element to the same 32 bits: 0, or those of a float. */
    fill(target: tf.TensorInfo | Part, word: number): void;
    /** Uploads at once: the caller may go on using its array. */
    write(values: Values, shape: number[], dtype: tf.DataType): DataId;
    /** Takes values over from another backend, or from the host. Data that comes back is kept as it was before. */
    move(dataId: DataId, values: Values, shape: number[], dtype: tf.DataType, refs: number): void;
    /** Waits for the device: counted in {@link blockingReads}. Training reads with `await tensor.data()`. */
    readSync(dataId: DataId): Values;
    /**
     * A copy of the values, as they are after everything that was enqueued before. The process goes on meanwhile.
     *
     * @throws BasicError what a kernel before it did wrong.
     */
    read(dataId: DataId): Promise<Values>;
    /** How many tensors have this data; 0 for data that is not here. */
    refCount(dataId: DataId): number;
    /** Counts another tensor with this data. */
    incRef(dataId: DataId): void;
    /** tfjs's own bookkeeping calls it for tensors that share data. */
    decRef(dataId: DataId): void;
    /** Gives the memory back once no tensor has the data, or at once with `force`. Says whether it did. */
    disposeData(dataId: DataId, force?: boolean): boolean;
    /** Number of data on the device. */
    numDataIds(): number;
    /** tfjs counts tensors exactly. */
    memory(): {
        unreliable: boolean;
    };
    /** Bytes of device memory that this backend holds, and that the device has. */
    deviceMemory(): {
        readonly usedBytes: number;
        readonly totalBytes: number;
    };
    floatPrecision(): 32;
    epsilon(): number;
    /** Whether `time` works: always. */
    timerAvailable(): boolean;
    /** Wall time of the commands of `body` on the device, together with those that wait before them. */
    time(body: () => void): Promise<{
        kernelMs: number;
    }>;
    /** Whether nothing is computed: memory is only counted. */
    get rehearsing(): boolean;
    /** Called for everything that a rehearsal would have enqueued. */
    watchRehearsal: ((work: RehearsedWork) => void) | undefined;
    /**
     * Tells the watcher, if there is one, what would have been enqueued.
     *
     * @internal
     */
    rehearsed(describe: () => RehearsedWork): void;
    /**
     * Runs `body` without computing anything: tensors take memory that is not there, starting from the blocks that are free
     * now. Values of tensors are 0 when they are read; what is made inside must be disposed inside.
     *
     * @param body - Gets a function that gives the bytes by which the reserved memory would have grown so far.
     * @returns Those bytes at the end.
     * @throws BasicError `E_CONFIG` when tensors are left, which would go on without values.
     */
    rehearse(body: (grown: () => number) => Promise<void>): Promise<number>;
    /** Gives the device back, with all tensors on it. */
    dispose(): void;
}

/** The libraries of NVIDIA that we call. */
type LibraryKind = "cuda" | "nvrtc" | "cublasLt" | "nccl";
/** Files to use instead of those that are found. */
type LibraryPaths = Readonly<Partial<Record<LibraryKind, string>>>;

/** A process of several that train together, each on a GPU of its own. */
interface RankOptions {
    /** This process, from 0. */
    readonly rank: number;
    /** Number of processes. */
    readonly size: number;
    /** An empty folder that all of them see: they find each other in it. Made where it is not there. */
    readonly folder: string;
    /** How long to wait for the others. Default 120,000. */
    readonly timeoutMs?: number;
    /** Gives up: its reason is what the wait for other ranks, and every later call, throws. */
    readonly signal?: AbortSignal;
    /** Files of NVIDIA's libraries, instead of those that are found. */
    readonly libraries?: LibraryPaths;
}
/** A collective that must be ended. */
interface RankCollective extends Collective {
    /** Ends it. All ranks must come here, unless something has failed. Later calls fail with `E_CONFIG`. */
    close(): void;
}
/**
 * Connects this process with the others of its training through NCCL. The CUDA backend must have been started, on another
 * GPU in each process. Sums are enqueued on the backend's stream, without copies of the tensors; only numbers and bytes are
 * waited for.
 *
 * @throws BasicError `E_BACKEND_START` before `start`, and where NCCL is missing or older than 2.13; `E_CONFIG` for a rank or
 *   size that cannot be; `E_RANK_LOST` where another rank does not come; `E_KERNEL_FAILED` where NCCL refuses.
 */
declare function connectRanks(options: RankOptions): Promise<RankCollective>;

/** Stock tfjs kernels of this backend, sorted, by what they do. The others throw `E_KERNEL_MISSING`. */
declare const stockKernels: Readonly<Record<string, readonly string[]>>;

/** How to start the CUDA backend. */
interface StartOptions {
    /** Index of the GPU. Default: BASIC_MLLM_CUDA_DEVICE, else 0. */
    readonly device?: number;
    /** Files of NVIDIA's libraries, instead of those that are found. */
    readonly libraries?: LibraryPaths;
    /**
     * `f32`, `tf32`: float32 all through, of which products, also those of attention, take the factors as they are, or rounded to 10
     * bits of mantissa, for the tensor cores of GPUs from compute capability 8.0 on. `bf16`: activations and their gradients are kept
     * in bfloat16, and products take their factors in it, with sums in float32; losses, weights, their gradients and the optimizer
     * stay in float32. Default `f32`.
     */
    readonly precision?: Precision;
    /** What kernels are compiled to. Default `cubin`; the driver compiles `ptx` itself, which takes longer. */
    readonly image?: ImageKind;
    /** Folder of compiled kernels. Default `cuda` in `BASIC_MLLM_CACHE` or the user's cache. */
    readonly imageFolder?: string;
    /** Bytes of device memory that are never exceeded. Default: what the device has. */
    readonly memoryLimit?: number;
    /**
     * Device memory without rounding and reuse, so that compute-sanitizer and the emulator see every access beyond a tensor.
     * Slow. Default: BASIC_MLLM_CUDA_EXACT_MEMORY is 1.
     */
    readonly exactMemory?: boolean;
    /**
     * Bytes of memory of a GPU to imagine: no driver, library or GPU is looked for, tensors have no values, and memory is only
     * counted, so that {@link CudaBackend.rehearse} tells whether a run would fit. Beside it only the precision matters.
     */
    readonly imagine?: number;
    /** Waits for every kernel, so that a fault names the one that made it. Default: BASIC_MLLM_CUDA_SYNCHRONOUS is 1. */
    readonly synchronous?: boolean;
}
/** That `start` can imagine a GPU: see {@link StartOptions.imagine}. */
declare const imagines = true;
/** Precisions that recipes may ask for. */
declare const precisions: readonly Precision[];
/** Factor on every tolerance of the conformance suite and the recorded values: float32 products and sums as on the CPU, without `bf16`. */
declare const toleranceFactor = 1;
/**
 * Makes the CUDA backend the current tfjs backend and returns its tfjs name. May be called again; only the first call's
 * options count.
 *
 * @throws BasicError `E_BACKEND_START` where there is no driver, GPU or compiler, or they do not fit together.
 */
declare function start(options?: StartOptions): Promise<string>;
/**
 * The GPU that `start` would compute on, and the NCCL that connects several. Starts nothing and changes no tfjs backend.
 *
 * @throws BasicError `E_BACKEND_START` for the reason for which `start` would.
 */
declare function probe(options?: Pick<StartOptions, "device" | "libraries">): Promise<string>;
/**
 * What the started backend computes with, for people.
 *
 * @throws BasicError `E_BACKEND_START` before `start`.
 */
declare function describe(): string;
/**
 * The started backend: its counters, and its memory.
 *
 * @throws BasicError `E_BACKEND_START` before `start`.
 */
declare function startedBackend(): CudaBackend;
/** Gives the device back, with all tensors on it. `start` opens it again. */
declare function stop(): void;

export { type Arguments, BACKEND_NAME, CudaBackend, type Dispatch, type ElementStorage, type HostArray, type ImageKind, type LibraryKind, type LibraryPaths, type MemoryStatistics, type ParameterType, type Parameters, type Part, type Pointer, type PointerType, type Program, type RankCollective, type RankOptions, type RehearsedWork, type StartOptions, type Work, bytesOf, connectRanks, countOf, defineProgram, describe, imagines, precisions, probe, start, startedBackend, stockKernels, stop, toleranceFactor };
