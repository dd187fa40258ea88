import { BasicError } from "@basic-mllm/core";
import type * as tf from "@tensorflow/tfjs-core";

import type { Block, CachingAllocator } from "./allocator.js";
import { ELEMENT_BYTES, type ElementStorage } from "./storage.js";

type DataId = tf.TensorInfo["dataId"];

/** Values of a tensor: device memory, or, for texts, values of the host. */
export interface TensorData {
  readonly dtype: tf.DataType;
  readonly storage: ElementStorage;
  readonly elements: number;
  readonly block: Block | undefined;
  /** Where the block came from. */
  readonly allocator: CachingAllocator;
  readonly texts: tf.backend_util.BackendValues | undefined;
  refs: number;
}

/** What a tensor is made of. */
export interface NewTensor {
  readonly dtype: tf.DataType;
  /** Default `f32`: four bytes an element. */
  readonly storage?: ElementStorage;
  readonly elements: number;
  readonly refs: number;
  /** Values that stay on the host. */
  readonly texts?: tf.backend_util.BackendValues;
}

/** The memory of tensors, and how many of them share it. */
export class TensorStore {
  readonly #tensors = new Map<DataId, TensorData>();

  /** Number of tensors' data. */
  get size(): number {
    return this.#tensors.size;
  }

  /** Takes memory for a tensor; its content is arbitrary. */
  create(
    dataId: DataId,
    { dtype, storage = "f32", elements, refs, texts }: NewTensor,
    allocator: CachingAllocator,
  ): TensorData {
    const block = texts === undefined ? allocator.allocate(ELEMENT_BYTES[storage] * elements) : undefined;
    const data = { dtype, storage, elements, block, allocator, texts, refs };
    this.#tensors.set(dataId, data);
    return data;
  }

  /** Data of a tensor. */
  get(dataId: DataId): TensorData {
    const data = this.#tensors.get(dataId);
    if (data === undefined) {
      throw new BasicError(
        "E_KERNEL_FAILED",
        "A tensor was used after it was disposed, or on another backend than its own. Keep it with tf.keep() or return it from tf.tidy().",
      );
    }
    return data;
  }

  /** Its device memory. */
  blockOf(dataId: DataId): Block {
    const { block, dtype } = this.get(dataId);
    if (block !== undefined) return block;
    throw new BasicError(
      "E_KERNEL_FAILED",
      `A tensor of dtype ${dtype} is not on the device: kernels read numbers. Encode texts before.`,
    );
  }

  /** How many tensors share the data. */
  refCount(dataId: DataId): number {
    return this.#tensors.get(dataId)?.refs ?? 0;
  }

  /** Takes one reference away; gives the memory back with the last one, or when it is forced to. */
  dispose(dataId: DataId, force: boolean): boolean {
    const data = this.#tensors.get(dataId);
    if (data === undefined) return true;
    data.refs--;
    if (!force && data.refs > 0) return false;
    this.#tensors.delete(dataId);
    if (data.block !== undefined) data.allocator.release(data.block);
    return true;
  }

  /** Forgets everything, without giving memory back. */
  clear(): void {
    this.#tensors.clear();
  }
}
