import type { KernelBindings } from "./kernels/bindings.js";

/** Memory and threads: native/src/memory.rs, native/src/threads.rs. */
interface SystemBindings {
  allocateBlock(floats: number): Float32Array;
  freeBlock(block: Float32Array): boolean;
  blockBytes(): number;
  threadCount(): number;
  setThreadCount(count: number): void;
}

/** Stock operations: native/src/ops, native/src/matmul.rs. */
interface OperationBindings {
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

/** Everything that the native addon exports. Outputs are views that the caller allocates. */
export interface NativeBindings extends SystemBindings, OperationBindings, KernelBindings {}
