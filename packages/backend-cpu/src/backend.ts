import { BasicError } from "@basic-mllm/core";
import { MathBackendCPU } from "@tensorflow/tfjs-backend-cpu";
import * as tf from "@tensorflow/tfjs-core";

import type { NativeBindings } from "./bindings.js";
import { type Block, BlockPool, type PoolUse } from "./block-pool.js";
import { withKernelErrors } from "./kernel-error.js";
import { createRehearsal, type Rehearsal } from "./rehearsal.js";

/** Name of this backend in tfjs. Its own "cpu" is plain JavaScript. */
export const BACKEND_NAME = "basiccpu";

/** int32 values lie in native memory from so many on: its pages are large, and WebAssembly reads them in place. */
const NATIVE_WORDS = 1 << 14;

type DataId = Parameters<MathBackendCPU["readSync"]>[0];
type Values = tf.backend_util.BackendValues;

interface TensorRecord {
  values?: Values;
  dtype: tf.DataType;
  refCount: number;
  block?: Block;
  /** Where the block came from. */
  pool?: BlockPool;
}

/** A new tensor and the memory to write its values to. */
export interface Output extends tf.TensorInfo {
  readonly values: Float32Array;
}

/** A tfjs backend whose float32 and large int32 tensors live in native memory, with kernels in Rust. */
export class CpuBackend extends MathBackendCPU {
  readonly #native: NativeBindings;
  readonly #ownPool: BlockPool;
  #rehearsal: Rehearsal | undefined;
  #nextId = 0;
  #allocated: tf.TensorInfo[] | undefined;
  readonly #javascriptCalls = new Map<string, number>();

  constructor(native: NativeBindings, pool: BlockPool = new BlockPool(native)) {
    super();
    this.#native = native;
    this.#ownPool = pool;
  }

  /** Functions of the addon. */
  get native(): NativeBindings {
    return this.#rehearsal?.native ?? this.#native;
  }

  get #pool(): BlockPool {
    return this.#rehearsal?.pool ?? this.#ownPool;
  }

  /** Copies float32 and large int32 values into a block: the caller may go on using its array. */
  override write(values: Values, _shape: number[], dtype: tf.DataType): DataId {
    const dataId = { id: this.#nextId++ };
    this.#store(dataId, values, dtype, 1);
    return dataId;
  }

  /** Takes values over from another backend. */
  override move(
    dataId: DataId,
    values: Values,
    _shape: number[],
    dtype: tf.DataType,
    refCount: number,
  ): void {
    this.#store(dataId, values, dtype, refCount);
  }

  /** A copy: the tensor's memory may be used again after it is disposed. */
  override readSync(dataId: DataId): Values {
    const values = super.readSync(dataId);
    return ArrayBuffer.isView(values) ? (values as Float32Array).slice() : values;
  }

  override disposeData(dataId: DataId, force = false): boolean {
    const record = this.data.has(dataId) ? (this.data.get(dataId) as TensorRecord) : undefined;
    const gone = super.disposeData(dataId, force);
    if (gone && record?.block !== undefined) record.pool?.give(record.block);
    return gone;
  }

  /** Native memory as well as what tfjs asks for. */
  override memory(): { unreliable: boolean; reasons: string[] } & PoolUse {
    return { unreliable: false, reasons: [], ...this.#pool.use() };
  }

  /**
   * Gives memory back to the system that nothing uses: what the pool holds for reuse, and what the C library keeps of array buffers
   * that were collected (glibc on Linux).
   */
  returnFreedMemory(): void {
    this.#pool.trim();
    this.native.returnFreedMemory();
  }

  /** Gives free memory back to the system. */
  override dispose(): void {
    this.#pool.trim();
  }

  /**
   * Calls so far, by kernel, that a kernel in JavaScript served although a tensor of some size took part. Training and
   * generation make none.
   */
  javascriptCalls(): Readonly<Record<string, number>> {
    return Object.fromEntries(this.#javascriptCalls);
  }

  /** Counts a call for {@link javascriptCalls}. */
  noteJavascriptCall(kernel: string): void {
    this.#javascriptCalls.set(kernel, (this.#javascriptCalls.get(kernel) ?? 0) + 1);
  }

  /**
   * Runs `body` without computing anything: kernels infer shapes and take memory that is not there. Values of tensors
   * mean nothing; what is made inside must be disposed inside.
   *
   * @param body - Gets a function that gives the bytes by which the pool would have grown so far.
   * @returns Those bytes at the end.
   * @throws BasicError `E_CONFIG` when tensors are left, which would go on without values.
   */
  async rehearse(body: (grown: () => number) => Promise<void>): Promise<number> {
    const { liveBytes, heldBytes } = this.#ownPool.use();
    const before = this.numDataIds();
    const rehearsal = createRehearsal(this.#ownPool);
    const grown = (): number => rehearsal.pool.peakBytes - liveBytes - heldBytes;
    this.#rehearsal = rehearsal;
    try {
      await body(grown);
    } finally {
      this.#rehearsal = undefined;
    }
    const left = this.numDataIds() - before;
    if (left > 0) throw leftTensors(left);
    return grown();
  }

  /** A new float32 tensor with arbitrary content. Write all of `values`. */
  allocate(shape: readonly number[]): Output {
    const pool = this.#pool;
    const block = withKernelErrors(() => pool.take(tf.util.sizeFromShape([...shape])));
    const dataId = { id: this.#nextId++ };
    this.data.set(dataId, { values: block.view, dtype: "float32", refCount: 1, block, pool } as TensorRecord);
    const output: Output = { dataId, shape: [...shape], dtype: "float32", values: block.view };
    this.#allocated?.push(output);
    return output;
  }

  /**
   * Runs the body of a kernel. When it throws, what it has allocated is released.
   *
   * @throws BasicError `E_KERNEL_FAILED` when the addon refuses the call.
   */
  orRelease<T>(body: () => T): T {
    const outer = this.#allocated;
    const mine: tf.TensorInfo[] = [];
    this.#allocated = mine;
    try {
      return withKernelErrors(body);
    } catch (error) {
      for (const { dataId } of mine) this.disposeData(dataId, true);
      throw error;
    } finally {
      this.#allocated = outer;
    }
  }

  /** Memory of a float32 tensor, not a copy. Valid until the tensor is disposed. */
  floats(tensor: tf.TensorInfo): Float32Array {
    return this.data.get(tensor.dataId).values as Float32Array;
  }

  /** Memory of an int32 tensor, not a copy. */
  integers(tensor: tf.TensorInfo): Int32Array {
    return this.data.get(tensor.dataId).values as Int32Array;
  }

  /** Memory of a bool tensor, one byte an element, not a copy. */
  bytes(tensor: tf.TensorInfo): Uint8Array {
    return this.data.get(tensor.dataId).values as Uint8Array;
  }

  /** Whether another tensor has the same memory. */
  isShared({ dataId }: tf.TensorInfo): boolean {
    return this.data.get(dataId).refCount > 1;
  }

  /** The same data under another shape; adds a reference. */
  alias(tensor: tf.TensorInfo, shape: readonly number[] = tensor.shape): tf.TensorInfo {
    this.incRef(tensor.dataId);
    return { dataId: tensor.dataId, shape: [...shape], dtype: tensor.dtype };
  }

  #store(dataId: DataId, values: Values, dtype: tf.DataType, refCount: number): void {
    if (dtype === "int32" && values instanceof Int32Array && values.length >= NATIVE_WORDS) {
      this.#storeWords(dataId, values, refCount);
      return;
    }
    if (dtype !== "float32" || values === undefined || values === null) {
      this.data.set(dataId, { values: asStored(values, dtype), dtype, refCount });
      return;
    }
    const pool = this.#pool;
    const block = withKernelErrors(() => pool.take(values.length));
    block.view.set(values as Float32Array);
    this.data.set(dataId, { values: block.view, dtype, refCount, block, pool } as TensorRecord);
  }

  #storeWords(dataId: DataId, words: Int32Array, refCount: number): void {
    const pool = this.#pool;
    const block = withKernelErrors(() => pool.take(words.length));
    const { buffer, byteOffset } = block.view;
    const values = new Int32Array(buffer, byteOffset, words.length);
    values.set(words);
    this.data.set(dataId, { values, dtype: "int32", refCount, block, pool } as TensorRecord);
  }
}

function leftTensors(count: number): BasicError {
  return new BasicError(
    "E_CONFIG",
    `Steps were gone through without computing, to learn their memory, and ${count} tensors are left of them, which ` +
      "have no values. Something keeps tensors that it makes in a step: let it make them before the first one, or " +
      "leave out --dry and --memory-limit.",
  );
}

/** Stock kernels hand over int32 and bool values in a Float32Array at times. */
function asStored(values: Values, dtype: tf.DataType): Values {
  if (!(values instanceof Float32Array)) return values;
  if (dtype === "int32") return Int32Array.from(values);
  return dtype === "bool" ? Uint8Array.from(values) : values;
}
