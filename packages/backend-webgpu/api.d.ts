import { WebGPUBackend } from '@tensorflow/tfjs-backend-webgpu';
import * as tf from '@tensorflow/tfjs-core';
import { BasicError } from '@basic-mllm/core';

/**
 * What went wrong on the device. WebGPU reports errors later than the call that made them: the first one is kept, and
 * the next call or read throws it.
 */
declare class Failure {
    #private;
    /** Keeps the first error. */
    report(error: BasicError): void;
    /** As {@link report}, unless a check that is under way finds the cause. */
    reportConsequence(error: BasicError): void;
    /** @throws BasicError what was reported. */
    check(): void;
    /** Waits for every check that is under way, then throws what was reported. */
    settle(): Promise<void>;
    /** Runs `body` in an error scope of the device; what the scope catches becomes the failure. */
    watch<T>(device: GPUDevice, filter: GPUErrorFilter, body: () => T, explain: (error: GPUError, result: T) => BasicError | Promise<BasicError>): T;
}

/** Where the pool makes buffers, and how many bytes of free ones it keeps. */
interface PoolOptions {
    readonly device: GPUDevice;
    readonly failure: Failure;
    readonly idleBytes?: number;
}
/**
 * Buffers by size class, in place of tfjs's buffer manager, which keeps every buffer that it ever made.
 *
 * Sizes are rounded up to one of eight classes between powers of two, so that batches of like row counts share
 * buffers. Free buffers beyond a limit are destroyed, those first that were free for longest.
 */
declare class BufferPool {
    #private;
    /** Bytes of the buffers that are in use, and of all. */
    numBytesUsed: number;
    numBytesAllocated: number;
    /** Largest `numBytesAllocated` so far. */
    peakBytes: number;
    constructor({ device, failure, idleBytes }: PoolOptions);
    /**
     * Free bytes that are kept.
     *
     * @internal
     */
    get mostIdleBytes(): number;
    /**
     * All buffers; the free ones in the order in which they became free.
     *
     * @internal
     */
    buffers(): {
        readonly used: readonly GPUBuffer[];
        readonly free: readonly GPUBuffer[];
    };
    /** Bytes of free buffers. */
    get idleBytes(): number;
    /** A buffer of at least `size` bytes, with arbitrary content. */
    acquireBuffer(size: number, usage: GPUBufferUsageFlags, mappedAtCreation?: boolean, reuse?: boolean): GPUBuffer;
    /** Takes a buffer back. Commands that use it must have been submitted. */
    releaseBuffer(buffer: GPUBuffer, reuse?: boolean): void;
    /** Buffers in use. */
    getNumUsedBuffers(): number;
    /** Free buffers. */
    getNumFreeBuffers(): number;
    /** Destroys every buffer. */
    dispose(): void;
}

/** A limit that matters to the kernels. */
type LimitName = "maxStorageBuffersPerShaderStage" | "maxComputeWorkgroupStorageSize" | "maxComputeInvocationsPerWorkgroup" | "maxComputeWorkgroupSizeX" | "maxComputeWorkgroupsPerDimension" | "maxStorageBufferBindingSize" | "maxBufferSize";
/** Limits of an adapter or device, by name. */
type Limits = Readonly<Record<LimitName, number>>;

/** How to ask for an adapter and a device. */
interface DeviceOptions {
    /** Which of several adapters. Default `high-performance`. */
    readonly powerPreference?: "high-performance" | "low-power";
    /** Upper bounds on limits that the device is asked for: to see how a recipe does on a smaller one. */
    readonly limits?: Partial<Limits>;
    /** Asks for an adapter that can time programs, for `WebGpuBackend.deviceTimes`. Browsers round to 0.1 ms. Default false. */
    readonly timestamps?: boolean;
}
/** A device and what it is called. */
interface OpenedDevice {
    readonly device: GPUDevice;
    readonly info: GPUAdapterInfo;
    /** `google swiftshader (SwiftShader driver 5.0.0)`. */
    readonly name: string;
}

/** Type of the elements of a storage array. */
type ElementType = "f32" | "i32" | "u32" | "vec4<f32>" | "atomic<u32>";
/** Type of a uniform. */
type UniformType = "f32" | "i32" | "u32";
/**
 * A compute shader. The declarations of its arrays and uniforms are generated: `code` names them as they are named
 * here, and uniforms as fields of `uniforms`.
 */
interface Program<Read extends string = string, Write extends string = string, Uniform extends string = string> {
    /** Names the kernel, and the variant where it has several. Two programs of one name have the same text. */
    readonly name: string;
    /** Arrays that the shader reads, in the order of their bindings. */
    readonly reads: Readonly<Record<Read, ElementType>>;
    /** Arrays that it writes, and may read: outputs, and inputs that change in place. */
    readonly writes: Readonly<Record<Write, ElementType>>;
    readonly uniforms: Readonly<Record<Uniform, UniformType>>;
    /** WGSL with `fn main`, without the declarations. A function is called only when the program is compiled. */
    readonly code: string | (() => string);
    /** Such as `f16` or `subgroups`: the caller makes sure that the device has them. */
    readonly enable?: readonly string[];
}
/** Infers the names of a {@link Program}. */
declare function defineProgram<Read extends string, Write extends string, Uniform extends string>(program: Program<Read, Write, Uniform>): Program<Read, Write, Uniform>;

/** What tfjs asks its pipelines for, beside what they were made of. */
interface ImaginaryPipeline {
    readonly label: string;
    readonly compute: {
        readonly module: {
            readonly code: string;
        };
        readonly entryPoint: string;
    };
}

/** A compiled program and how its arrays are bound. */
interface Pipeline {
    readonly pipeline: GPUComputePipeline;
    readonly layout: GPUBindGroupLayout;
}
/** Compiled programs by name. */
declare class PipelineCache {
    #private;
    constructor(device: GPUDevice, failure: Failure);
    /** Number of compiled programs. */
    get size(): number;
    /** Whether a program is compiled. */
    has({ name }: Program): boolean;
    /** The compiled program; compiles it first where nobody has. */
    get(program: Program): Pipeline;
    /**
     * Compiles programs side by side, without holding up the caller.
     *
     * @throws BasicError `E_KERNEL_FAILED` for the first that does not compile.
     */
    prepare(programs: readonly Program[]): Promise<void>;
    /**
     * As {@link prepare}, for a program of tfjs, as an imaginary device noted it.
     *
     * @internal
     */
    prepareStock({ label, compute: { module, entryPoint } }: ImaginaryPipeline): Promise<GPUComputePipeline>;
}

/** Time that the device spent on the programs of one name. */
interface KernelTime {
    /** The program's name; of a program of tfjs `tfjs` and its class. */
    readonly name: string;
    readonly dispatches: number;
    readonly milliseconds: number;
}

/** Part of a tensor's elements: `offset` must be on a multiple of 64, since bindings start at 256 bytes. */
interface Part {
    readonly tensor: tf.TensorInfo;
    readonly offset: number;
    readonly length: number;
}
/** Values that stay on the host until a kernel binds them, such as offsets. */
type HostArray = Int32Array | Uint32Array | Float32Array;
/** What a shader array can be bound to. */
type Bindable = tf.TensorInfo | Part | HostArray;
/** One run of a program. */
interface Dispatch<Read extends string, Write extends string, Uniform extends string> {
    readonly reads: Readonly<Record<Read, Bindable>>;
    readonly writes: Readonly<Record<Write, tf.TensorInfo | Part>>;
    readonly uniforms: Readonly<Record<Uniform, number>>;
    /** Workgroups along x, y, z. None along one of them: nothing runs. */
    readonly workgroups: readonly [number, number?, number?];
}

/** Name of this backend in tfjs. Its own "webgpu" is the stock one. */
declare const BACKEND_NAME = "basicwebgpu";
type DataId = tf.TensorInfo["dataId"];
type Values = tf.backend_util.BackendValues;
/** A call of tfjs's backend that runs one of its programs. */
type StockRun = Parameters<WebGPUBackend["runWebGPUProgram"]>;
/** tfjs's WebGPU backend on a device of our own, with a bounded pool of buffers and kernels of several outputs. */
declare class WebGpuBackend extends WebGPUBackend {
    #private;
    /** What went wrong on the device, if anything. */
    readonly failure: Failure;
    readonly pipelines: PipelineCache;
    readonly pool: BufferPool;
    readonly deviceName: string;
    constructor({ device, info, name }: OpenedDevice, { prepare, ...options }?: Pick<StartOptions, "idleBytes" | "prepare" | "timestamps">);
    /** Dispatches of our own kernels so far. */
    get dispatches(): number;
    /** Buffers that are kept for values from the host, such as offsets and uniforms: at most 1024 of each. */
    get hostBuffers(): number;
    /** Kernels always run on the device: tfjs would compute small tensors in JavaScript. */
    shouldExecuteOnCPU(): boolean;
    /** Uploads at once: the caller may go on using its array. */
    write(values: Values, shape: number[], dtype: tf.DataType): DataId;
    /** Takes values over from another backend. */
    move(dataId: DataId, values: Values, shape: number[], dtype: tf.DataType, refCount: number): void;
    /** Gives the buffer back once no tensor has the data, or at once with `force`. Says whether it did. */
    disposeData(dataId: DataId, force?: boolean): boolean;
    /** Gives a tensor its buffer, with its values where it has some. */
    uploadToGPU(dataId: DataId): void;
    /** @throws BasicError `E_SYNC_READ`, since WebGPU cannot. Texts and tensors without elements are on the host. */
    readSync(dataId: DataId): Values;
    /**
     * A copy of the values. They are not kept, so that kernels may write in place.
     *
     * @throws BasicError what went wrong on the device since the last read: shader errors, no memory, a lost device.
     */
    read(dataId: DataId): Promise<Values>;
    /**
     * Bytes of buffers on the adapter, which does not say how many it could have. Undefined on a software adapter: its buffers
     * lie in the process.
     */
    deviceMemory(): {
        readonly usedBytes: number;
    } | undefined;
    /**
     * Runs `body` without computing anything: tensors take buffers that are not there, starting from those that are free
     * now. Values of tensors are 0 when they are read; what is made inside must be disposed inside.
     *
     * @param body - Gets a function that gives the bytes by which the pool would have grown so far.
     * @returns Those bytes at the end.
     * @throws BasicError `E_CONFIG` when tensors are left, which would go on without values.
     */
    rehearse(body: (grown: () => number) => Promise<void>): Promise<number>;
    /**
     * Compiles what `body` would run, kernels of our own and of tfjs, side by side and without holding up the caller. Does
     * nothing where the backend was started without: see {@link StartOptions.prepare}.
     *
     * @param body - Computes nothing, as in {@link rehearse}. It ends before anything else has its turn.
     * @param onCompile - Gets the number of kernels to compile; not called where all are there.
     * @throws BasicError `E_KERNEL_FAILED` for the first that does not compile; what `rehearse` throws.
     */
    prepare(body: () => void, onCompile?: (kernels: number) => void): Promise<void>;
    /** Ends the device. What is read later fails. */
    dispose(): void;
    /**
     * Runs `body`, and gives the time that the device spent on each program of it, longest first, tfjs's among them. Each
     * program then has a pass of its own, so the whole takes longer.
     *
     * @throws BasicError `E_CONFIG` where the backend was not started with `timestamps`; what went wrong on the device.
     */
    deviceTimes(body: () => unknown): Promise<readonly KernelTime[]>;
    /** Runs a program of tfjs. */
    runWebGPUProgram(...call: StockRun): tf.TensorInfo;
    /** A new float32 tensor with arbitrary content. */
    allocate(shape: readonly number[], dtype?: "float32" | "int32"): tf.TensorInfo;
    /** Whether another tensor has the same memory. */
    isShared({ dataId }: tf.TensorInfo): boolean;
    /** The same data under another shape; adds a reference. */
    alias(tensor: tf.TensorInfo, shape?: readonly number[]): tf.TensorInfo;
    /** Copies the elements of a tensor into one of the same size. */
    copy(source: tf.TensorInfo, target: tf.TensorInfo): void;
    /**
     * Adds a run of a program to the commands. Nothing waits for it.
     *
     * @throws BasicError `E_DEVICE_MEMORY` where an array is larger than a binding may be; what went wrong before.
     */
    dispatch<Read extends string, Write extends string, Uniform extends string>(program: Program<Read, Write, Uniform>, { reads, writes, uniforms, workgroups: [x, y, z] }: Dispatch<Read, Write, Uniform>): void;
}

/** How to start the WebGPU backend. */
interface StartOptions extends DeviceOptions {
    /** WebGPU itself. Default: `navigator.gpu`; in Node, where there is none, Dawn out of the package `webgpu`. */
    readonly gpu?: GPU;
    /** Bytes of free buffers that are kept for the next tensors. Default 1 GiB. */
    readonly idleBytes?: number;
    /**
     * Whether `train` compiles the kernels of a stage before its first step. Default true, but not on a software adapter, which
     * compiles on the processors that wait for it.
     */
    readonly prepare?: boolean;
}
/**
 * Factor on every tolerance of the conformance suite and the recorded values: WGSL allows exp 3 + 2|x| units in the last
 * place, a division 2.5 and an inverse square root 2.
 */
declare const toleranceFactor = 4;
/**
 * What the started backend computes with, for people.
 *
 * @throws BasicError `E_BACKEND_START` before `start`.
 */
declare function describe(): string;
/**
 * The started backend: its counters, and its device's loss.
 *
 * @throws BasicError `E_BACKEND_START` before `start`.
 */
declare function startedBackend(): WebGpuBackend;
/** Ends the device, with all tensors on it. `start` opens another one. */
declare function stop(): void;

/**
 * Makes the WebGPU backend the current tfjs backend and returns its tfjs name. May be called again.
 *
 * @throws BasicError `E_BACKEND_START` where there is no adapter, one that is too small, or no package `webgpu`.
 */
declare function start(options?: StartOptions): Promise<string>;
/**
 * The adapter that `start` would compute on. Starts nothing and changes no tfjs backend.
 *
 * @throws BasicError `E_BACKEND_START` for the reason for which `start` would.
 */
declare function probe(): Promise<string>;

export { BACKEND_NAME, type Bindable, BufferPool, type DeviceOptions, type Dispatch, type ElementType, Failure, type HostArray, type KernelTime, type LimitName, type Limits, type OpenedDevice, type Part, type Pipeline, PipelineCache, type PoolOptions, type Program, type StartOptions, type UniformType, WebGpuBackend, defineProgram, describe, probe, start, startedBackend, stop, toleranceFactor };
