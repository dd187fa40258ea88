import { MathBackendCPU } from '@tensorflow/tfjs-backend-cpu';
import * as tf from '@tensorflow/tfjs-core';
import { BackendThreads, Precision } from '@basic-mllm/core';

/** Values of a float tensor. */
type Floats = Float32Array;
/** Host indices. */
type Ints = Int32Array;
/** A list by index: WebAssembly takes objects, not arrays. */
type Numbered<T> = Readonly<Record<number, T>>;
/** Settings of an AdamW step for `count` tensors. */
interface AdamwSettings {
    readonly count: number;
    readonly learningRates: Numbered<number>;
    readonly weightDecays: Numbered<number>;
    readonly beta1: number;
    readonly beta2: number;
    readonly epsilon: number;
    readonly step: number;
}
/** native/src/kernels/exports/elements.rs */
interface ElementBindings {
    activation(kind: string, x: Floats, y: Floats): void;
    activationBackward(kind: string, dy: Floats, x: Floats, dx: Floats): void;
    gatedActivation(kind: string, gate: Floats, up: Floats, y: Floats): void;
    gatedActivationBackward(kind: string, dy: Floats, gate: Floats, up: Floats, dgate: Floats, dup: Floats): void;
    /** `threshold` of 65536 values are dropped. Words are unsigned. */
    dropout(threshold: number, keyLow: number, keyHigh: number, streamLow: number, streamHigh: number, x: Floats, y: Floats): void;
    /** Adds to `sum[0]`, tensor by tensor. */
    squaredNorm(count: number, x: Numbered<Floats>, sum: Floats): void;
    /** Changes `parameter`, `m` and `v`. */
    adamw(settings: AdamwSettings, parameter: Numbered<Floats>, gradient: Numbered<Floats>, m: Numbered<Floats>, v: Numbered<Floats>, control: Floats): void;
    /** As `adamw`, with packed moments. */
    adamwPacked(settings: AdamwSettings, storage: string, parameter: Numbered<Floats>, gradient: Numbered<Floats>, m: Numbered<Ints>, v: Numbered<Ints>, control: Floats): void;
}
/** native/src/kernels/exports/norms.rs. Empty gradients of weights are not computed. */
interface NormBindings {
    rmsNorm(x: Floats, weight: Floats, epsilon: number, addOne: boolean, y: Floats, inverse: Floats): void;
    rmsNormBackward(dy: Floats, x: Floats, weight: Floats, inverse: Floats, addOne: boolean, dx: Floats, dweight: Floats): void;
    layerNorm(x: Floats, weight: Floats, bias: Floats, epsilon: number, y: Floats, mean: Floats, inverse: Floats): void;
    layerNormBackward(dy: Floats, x: Floats, weight: Floats, mean: Floats, inverse: Floats, dx: Floats, dweight: Floats, dbias: Floats): void;
    rotary(x: Floats, heads: number, positions: Ints, frequencies: Floats, scale: number, inverse: boolean, y: Floats): void;
}
/** native/src/kernels/exports/rows.rs */
interface RowBindings {
    splice(table: Floats, visual: Floats, ids: Ints, width: number, out: Floats): void;
    scatterAddRows(dy: Floats, rows: Ints, width: number, out: Floats): void;
}
/** native/src/kernels/exports/linear.rs. An empty bias is none. */
interface LinearBindings {
    linear(x: Floats, weight: Floats, bias: Floats, rows: number, inputs: number, outputs: number, activation: string, y: Floats): void;
    linearBackward(dy: Floats, weight: Floats, rows: number, inputs: number, outputs: number, dx: Floats): void;
    packedLinear(x: Floats, weight: Ints, bias: Floats, storage: string, rows: number, inputs: number, outputs: number, y: Floats): void;
    packedRows(table: Ints, storage: string, height: number, width: number, ids: Ints, out: Floats): void;
    packedLinearBackward(dy: Floats, weight: Ints, storage: string, rows: number, inputs: number, outputs: number, dx: Floats): void;
}
/** Shapes and masks of an attention call. 0 is no window and no softcap. */
interface AttentionLayout {
    readonly queryOffsets: Ints;
    readonly keyOffsets: Ints;
    readonly heads: number;
    readonly keyHeads: number;
    readonly headWidth: number;
    readonly scale: number;
    readonly causal: boolean;
    readonly window: number;
    readonly softcap: number;
}
/** Shapes and masks of attention with buffers. 0 is no window and no softcap. */
interface CachedLayout {
    readonly offsets: Ints;
    readonly starts: Ints;
    readonly room: number;
    readonly heads: number;
    readonly keyHeads: number;
    readonly headWidth: number;
    readonly scale: number;
    readonly window: number;
    readonly softcap: number;
}
type BlockMatrix = "query" | "key" | "value" | "output" | "gate" | "up" | "down";
/** Weights of a block: packed ones as integers. */
type BlockWeights = {
    readonly attentionNorm: Floats;
    readonly mlpNorm: Floats;
} & {
    readonly [M in BlockMatrix]: Floats | Ints;
} & {
    readonly [M in BlockMatrix as `${M}Storage`]: string;
};
/** Settings of a block beside those of its attention. */
interface BlockSettings {
    readonly positions: Ints;
    readonly frequencies: Floats;
    readonly rotaryScale: number;
    readonly inner: number;
    readonly epsilon: number;
    readonly addOne: boolean;
    readonly activation: string;
}
/** native/src/kernels/exports/decoder_block.rs. Changes `keys` and `values`. */
interface DecoderBindings {
    decoderBlock(x: Floats, weights: BlockWeights, layout: CachedLayout, settings: BlockSettings, keys: Floats, values: Floats, y: Floats): void;
}
/** native/src/kernels/exports/attention.rs */
interface AttentionBindings {
    /** Changes `keys` and `values`. */
    cachedAttention(q: Floats, k: Floats, v: Floats, layout: CachedLayout, keys: Floats, values: Floats, y: Floats): void;
    attention(q: Floats, k: Floats, v: Floats, layout: AttentionLayout, y: Floats, logSumExp: Floats): void;
    attentionReceived(q: Floats, k: Floats, v: Floats, layout: AttentionLayout, countsAsText: Ints, receiveFrom: Ints, y: Floats, logSumExp: Floats, received: Floats): void;
    attentionBackward(dy: Floats, q: Floats, k: Floats, v: Floats, y: Floats, logSumExp: Floats, layout: AttentionLayout, dq: Floats, dk: Floats, dv: Floats): void;
}
/** How a cross entropy is computed. */
interface CrossEntropyOptions {
    readonly labels: Ints;
    readonly width: number;
    readonly softcap: number;
    readonly chunkBytes: number;
}
/** Inputs of a divergence between two rows' distributions over a vocabulary. */
interface KlInputs {
    readonly v: Floats;
    readonly r: Floats;
    readonly vocabulary: Floats;
    readonly a: Floats;
    readonly width: number;
    readonly chunkBytes: number;
}
/** native/src/kernels/exports/losses.rs. Empty optional gradients are not computed. */
interface LossBindings {
    linearCrossEntropy(x: Floats, weight: Floats, options: CrossEntropyOptions, loss: Floats, logSumExp: Floats, slope: Floats): void;
    linearCrossEntropyBackward(dloss: Floats, x: Floats, weight: Floats, logSumExp: Floats, options: CrossEntropyOptions, dx: Floats, dweight: Floats): void;
    direction(v: Floats, r: Floats, a: Floats, width: number, loss: Floats): void;
    directionBackward(dloss: Floats, v: Floats, r: Floats, a: Floats, width: number, dv: Floats, dr: Floats): void;
    linearKl(inputs: KlInputs, loss: Floats, kl: Floats, lseV: Floats, lseR: Floats, slope: Floats): void;
    linearKlBackward(inputs: KlInputs, dloss: Floats, kl: Floats, lseV: Floats, lseR: Floats, dv: Floats, dr: Floats): void;
}
/**
 * Functions of the native addon that the fused contract kernels call. The last arguments are written.
 *
 * @internal
 */
interface KernelBindings extends ElementBindings, NormBindings, RowBindings, LinearBindings, AttentionBindings, DecoderBindings, LossBindings {
}

/** Memory, threads and instruction set: native/src/memory.rs, threads.rs, simd.rs. */
interface SystemBindings {
    allocateBlock(floats: number): Float32Array;
    freeBlock(block: Float32Array): boolean;
    blockBytes(): number;
    /** native/src/pages.rs */
    returnFreedMemory(): void;
    threadCount(): number;
    setThreadCount(count: number): void;
    /** The one in use: `avx512`, `avx2` or `baseline`; `neon` on ARM, `simd128` in WebAssembly. */
    instructionSet(): string;
    /** native/src/gemm/precision.rs: operands of matrix products are rounded to bfloat16, or not. */
    setBf16Products(on: boolean): void;
    bf16Products(): boolean;
    /** Those that this CPU has, best first. */
    instructionSets(): string[];
    setInstructionSet(name: string): void;
}
/** Stock operations: native/src/ops, native/src/matmul.rs. `dimensions` are `[size, stride, stride]` per loop. */
interface OperationBindings {
    unary(code: number, x: Float32Array, y: Float32Array, p0: number, p1: number): void;
    accumulate(x: Float32Array, y: Float32Array): void;
    binary(code: number, a: Float32Array, b: Float32Array, out: Float32Array, dimensions: Int32Array): void;
    compare(code: number, a: Float32Array, b: Float32Array, out: Uint8Array, dimensions: Int32Array): void;
    select(condition: Uint8Array, a: Float32Array, b: Float32Array, out: Float32Array, inner: number): void;
    castIntegers(x: Int32Array, y: Float32Array): void;
    castBooleans(x: Uint8Array, y: Float32Array): void;
    castFloats(x: Float32Array, y: Int32Array): void;
    softmax(x: Float32Array, y: Float32Array, width: number): void;
    reduce(code: number, x: Float32Array, out: Float32Array, outer: number, n: number, inner: number): void;
    argMax(x: Float32Array, out: Int32Array, outer: number, n: number, inner: number): void;
    fill(out: Float32Array, value: number): void;
    copyStrided(x: Float32Array, xOffset: number, out: Float32Array, outOffset: number, dimensions: Int32Array): void;
    gather(x: Float32Array, ids: Int32Array, out: Float32Array, outer: number, height: number, inner: number): void;
    segmentSum(x: Float32Array, ids: Int32Array, out: Float32Array, inner: number): void;
    matmul(a: Float32Array, b: Float32Array, c: Float32Array, aBatch: number, bBatch: number, m: number, n: number, k: number, transposeA: boolean, transposeB: boolean): void;
}
/**
 * Everything that the native addon exports. Outputs are views that the caller allocates.
 *
 * @internal
 */
interface NativeBindings extends SystemBindings, OperationBindings, KernelBindings {
}

/** Memory of one tensor: a view of the right length over a native block. */
declare class Block {
    readonly whole: Float32Array;
    view: Float32Array;
    inUse: boolean;
    constructor(whole: Float32Array);
}
/** Bytes of native memory: in tensors, and kept for reuse. */
interface PoolUse {
    readonly liveBytes: number;
    readonly heldBytes: number;
}
/** Where blocks come from. */
type BlockSource = Pick<NativeBindings, "allocateBlock" | "freeBlock">;
/**
 * Native memory for tensors. Blocks come in size classes, go back when a tensor is disposed, and are used again.
 * Before memory grows a fifth beyond what tensors have needed, blocks that have been idle the longest are freed.
 * The garbage collector has no part in it.
 */
declare class BlockPool {
    #private;
    constructor(native: BlockSource, heldLimit?: number);
    /**
     * A block whose view has `length` elements of arbitrary content.
     *
     * @throws BasicError `E_SHAPE` for more elements than a tensor can have.
     */
    take(length: number): Block;
    /** Takes back what {@link take} gave. A second call does nothing. */
    give(block: Block): void;
    /** Frees all blocks that are held for reuse. */
    trim(): void;
    /** Most bytes that existed at a time, in use or held. */
    get peakBytes(): number;
    /** A pool with blocks of another source, in use and held as many as here: what it does, this one would do. */
    twin(source: BlockSource): BlockPool;
    /** Bytes in use and held for reuse. */
    use(): PoolUse;
}

/** Name of this backend in tfjs. Its own "cpu" is plain JavaScript. */
declare const BACKEND_NAME = "basiccpu";
type DataId = Parameters<MathBackendCPU["readSync"]>[0];
type Values = tf.backend_util.BackendValues;
/** A new tensor and the memory to write its values to. */
interface Output extends tf.TensorInfo {
    readonly values: Float32Array;
}
/** A tfjs backend whose float32 and large int32 tensors live in native memory, with kernels in Rust. */
declare class CpuBackend extends MathBackendCPU {
    #private;
    constructor(native: NativeBindings, pool?: BlockPool);
    /** Functions of the addon. */
    get native(): NativeBindings;
    /** Copies float32 and large int32 values into a block: the caller may go on using its array. */
    write(values: Values, _shape: number[], dtype: tf.DataType): DataId;
    /** Takes values over from another backend. */
    move(dataId: DataId, values: Values, _shape: number[], dtype: tf.DataType, refCount: number): void;
    /** A copy: the tensor's memory may be used again after it is disposed. */
    readSync(dataId: DataId): Values;
    disposeData(dataId: DataId, force?: boolean): boolean;
    /** Native memory as well as what tfjs asks for. */
    memory(): {
        unreliable: boolean;
        reasons: string[];
    } & PoolUse;
    /**
     * Gives memory back to the system that nothing uses: what the pool holds for reuse, and what the C library keeps of array buffers
     * that were collected (glibc on Linux).
     */
    returnFreedMemory(): void;
    /** Gives free memory back to the system. */
    dispose(): void;
    /**
     * Calls so far, by kernel, that a kernel in JavaScript served although a tensor of some size took part. Training and
     * generation make none.
     */
    javascriptCalls(): Readonly<Record<string, number>>;
    /** Counts a call for {@link javascriptCalls}. */
    noteJavascriptCall(kernel: string): void;
    /**
     * Runs `body` without computing anything: kernels infer shapes and take memory that is not there. Values of tensors
     * mean nothing; what is made inside must be disposed inside.
     *
     * @param body - Gets a function that gives the bytes by which the pool would have grown so far.
     * @returns Those bytes at the end.
     * @throws BasicError `E_CONFIG` when tensors are left, which would go on without values.
     */
    rehearse(body: (grown: () => number) => Promise<void>): Promise<number>;
    /** A new float32 tensor with arbitrary content. Write all of `values`. */
    allocate(shape: readonly number[]): Output;
    /**
     * Runs the body of a kernel. When it throws, what it has allocated is released.
     *
     * @throws BasicError `E_KERNEL_FAILED` when the addon refuses the call.
     */
    orRelease<T>(body: () => T): T;
    /** Memory of a float32 tensor, not a copy. Valid until the tensor is disposed. */
    floats(tensor: tf.TensorInfo): Float32Array;
    /** Memory of an int32 tensor, not a copy. */
    integers(tensor: tf.TensorInfo): Int32Array;
    /** Memory of a bool tensor, one byte an element, not a copy. */
    bytes(tensor: tf.TensorInfo): Uint8Array;
    /** Whether another tensor has the same memory. */
    isShared({ dataId }: tf.TensorInfo): boolean;
    /** The same data under another shape; adds a reference. */
    alias(tensor: tf.TensorInfo, shape?: readonly number[]): tf.TensorInfo;
}

/** What the kernels run as: an addon for this platform, or WebAssembly. */
type EngineName = "native" | "wasm";
/** Threads of the started kernels; undefined in WebAssembly, which starts with all that it will have. */
declare function threads(): BackendThreads | undefined;
/**
 * What the started backend computes with, for people: engine, instruction set, threads.
 *
 * @throws BasicError `E_BACKEND_START` before `start`.
 */
declare function describe(): string;

/** Precisions of matrix products that `start` takes. */
declare const precisions: readonly Precision[];

/** How to start the CPU backend. */
interface StartOptions {
    /**
     * Threads for the kernels. Default: `BASIC_MLLM_THREADS`, else the CPUs that this process may use, by affinity and
     * by the quota of a container. Results do not depend on it.
     */
    readonly threads?: number;
    /**
     * Instruction set of all kernels: `avx512`, `avx2` or `baseline` on x86-64, `neon` on ARM, `simd128` in WebAssembly.
     * Default: `BASIC_MLLM_SIMD`, else the best that the CPU has.
     */
    readonly instructionSet?: string;
    /**
     * How matrix products treat their operands. `f32` (the default, or `BASIC_MLLM_PRECISION`) is exact; `bf16` rounds
     * them to bfloat16 and sums in float32: faster where the CPU multiplies bfloat16, and the same result elsewhere up
     * to the order of a sum. Parameters, activations and moments stay float32.
     */
    readonly precision?: Precision;
    /**
     * Kernels as an addon for this platform, or as WebAssembly. Default: `BASIC_MLLM_ENGINE`, else native ones;
     * WebAssembly, with a warning of the process, only where this platform has none.
     */
    readonly engine?: EngineName;
}
/**
 * Makes the CPU backend the current tfjs backend and returns its tfjs name. May be called again.
 *
 * @throws BasicError `E_BACKEND_START` when there are no kernels for this platform, the number of threads is no count,
 *   the CPU lacks the instruction set, or the precision is not known; `E_BACKEND_CONFLICT` when this process runs on the
 *   other engine.
 */
declare function start(options?: StartOptions): Promise<string>;

export { type AttentionLayout, BACKEND_NAME, Block, BlockPool, type BlockSource, CpuBackend, type CrossEntropyOptions, type EngineName, type Floats, type Ints, type KernelBindings, type KlInputs, type NativeBindings, type Output, type PoolUse, type StartOptions, describe, precisions, start, threads };
