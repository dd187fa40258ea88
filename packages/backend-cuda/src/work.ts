import type { Pointer } from "./arguments.js";

/** What a launch does at least: the roofline of the kernel. */
export interface Work {
  /** Bytes between the device's memory and its caches. */
  readonly bytes: number;
  /** Floating-point operations. */
  readonly flops: number;
}

/** A launch, or what else is enqueued, of a rehearsal. */
export interface RehearsedWork extends Work {
  /** Of the program; `product nt`, `copy`, `fill`. */
  readonly name: string;
  /** What computes it: CUDA cores, cuBLASLt, or the driver by itself. */
  readonly kind: "kernel" | "product" | "memory";
  /** Rows, columns and depth of a product. */
  readonly shape?: readonly [rows: number, columns: number, depth: number];
}

/** Elements of four bytes that an argument points to. */
export function countOf(pointer: Pointer): number {
  if (pointer === null) return 0;
  if (ArrayBuffer.isView(pointer)) return pointer.byteLength / 4;
  if ("tensor" in pointer) return pointer.length;
  return pointer.shape.reduce((product, size) => product * size, 1);
}

/** Bytes that arguments point to, each of them once. */
export function bytesOf(...pointers: readonly Pointer[]): number {
  return pointers.reduce((sum, pointer) => sum + 4 * countOf(pointer), 0);
}
