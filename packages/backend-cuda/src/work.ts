import type { Pointer } from "./arguments.js";
import { ELEMENT_BYTES, type ElementStorage, storageOf } from "./memory/storage.js";

/** What a launch does at least: the roofline of the kernel. */
export interface Work {
  /** Bytes between the device's memory and its caches. */
  readonly bytes: number;
  /** Floating-point operations. */
  readonly flops: number;
  /** Tensor cores that do them, by what they round operands to. Absent: CUDA cores, in float32. */
  readonly units?: "tf32" | "bf16";
}

/** A launch, or what else is enqueued, of a rehearsal. */
export interface RehearsedWork extends Work {
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
export function countOf(pointer: Pointer): number {
  if (pointer === null) return 0;
  if (ArrayBuffer.isView(pointer)) return pointer.byteLength / 4;
  if ("tensor" in pointer) return pointer.length;
  return pointer.shape.reduce((product, size) => product * size, 1);
}

/** Bytes that arguments point to, each of them once. */
export function bytesOf(...pointers: readonly Pointer[]): number {
  return pointers.reduce((sum, pointer) => sum + ELEMENT_BYTES[storageOf(pointer)] * countOf(pointer), 0);
}
