import type { KernelBindings } from "./kernels/bindings.js";

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
  copyStrided(
    x: Float32Array,
    xOffset: number,
    out: Float32Array,
    outOffset: number,
    dimensions: Int32Array,
  ): void;
  gather(
    x: Float32Array,
    ids: Int32Array,
    out: Float32Array,
    outer: number,
    height: number,
    inner: number,
  ): void;
  segmentSum(x: Float32Array, ids: Int32Array, out: Float32Array, inner: number): void;
  matmul(
    a: Float32Array,
    b: Float32Array,
    c: Float32Array,
    aBatch: number,
    bBatch: number,
    m: number,
    n: number,
    k: number,
    transposeA: boolean,
    transposeB: boolean,
  ): void;
}

/**
 * Everything that the native addon exports. Outputs are views that the caller allocates.
 *
 * @internal
 */
export interface NativeBindings extends SystemBindings, OperationBindings, KernelBindings {}
