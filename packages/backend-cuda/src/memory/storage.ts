import { BasicError } from "@basic-mllm/core";
import { asWords } from "@basic-mllm/core/device";
import type * as tf from "@tensorflow/tfjs-core";

import type { Pointer } from "../arguments.js";

/** How float32 values are kept in device memory: as they are, or rounded to bfloat16. Integers always have four bytes. */
export type ElementStorage = "f32" | "bf16";

/** Bytes of an element. */
export const ELEMENT_BYTES: Readonly<Record<ElementStorage, number>> = { f32: 4, bf16: 2 };

/** Identity of a tensor's data in tfjs (its `dataId`), which knows how they are kept. */
export class DataKey {
  readonly storage: ElementStorage;

  constructor(storage: ElementStorage) {
    this.storage = storage;
  }
}

/** How what a pointer points to is kept. */
export function storageOf(pointer: Pointer): ElementStorage {
  if (pointer === null || ArrayBuffer.isView(pointer)) return "f32";
  const { dataId } = "tensor" in pointer ? pointer.tensor : pointer;
  return dataId instanceof DataKey ? dataId.storage : "f32";
}

/** Whether what a pointer points to is kept in bfloat16. */
export function isBf16(pointer: Pointer): boolean {
  return storageOf(pointer) === "bf16";
}

/** The upper half of a float's bits, rounded to the nearest, ties to even; a NaN is 0x7fff. */
export function bf16Bits(floatBits: number): number {
  const bits = floatBits >>> 0;
  if ((bits & 0x7fff_ffff) > 0x7f80_0000) return 0x7fff;
  return ((bits + 0x7fff + ((bits >>> 16) & 1)) >>> 16) & 0xffff;
}

/** Values of the host as elements of the device, rounded where it keeps them in bfloat16. */
export function asElements(
  values: Float32Array | Int32Array | Uint8Array,
  { storage, dtype }: { readonly storage: ElementStorage; readonly dtype: tf.DataType },
): Float32Array | Int32Array | Uint16Array {
  const words = asWords(values, dtype);
  if (storage === "f32") return words;
  return Uint16Array.from(new Uint32Array(words.buffer, words.byteOffset, words.length), bf16Bits);
}

/** Elements of the device as an array of the host. bfloat16 becomes float32, without rounding. */
export function asValues(
  bytes: ArrayBuffer,
  { storage, dtype }: { readonly storage: ElementStorage; readonly dtype: tf.DataType },
): Float32Array | Int32Array | Uint8Array {
  if (storage === "bf16") {
    const words = Uint32Array.from(new Uint16Array(bytes), (bits) => bits << 16);
    return new Float32Array(words.buffer);
  }
  if (dtype === "float32") return new Float32Array(bytes);
  return dtype === "bool" ? Uint8Array.from(new Int32Array(bytes)) : new Int32Array(bytes);
}

/** @throws BasicError `E_KERNEL_FAILED` for integers in bfloat16. */
export function checkStorage(dtype: tf.DataType, storage: ElementStorage): void {
  if (storage === "f32" || dtype === "float32") return;
  throw new BasicError(
    "E_KERNEL_FAILED",
    `A tensor of dtype ${dtype} was asked for in bf16, which keeps float32 values only. Leave the storage out.`,
  );
}
