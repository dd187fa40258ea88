import type * as tf from "@tensorflow/tfjs-core";

import { multiply, type Product } from "../kernels/matmul/matmul.js";
import { override, UNHANDLED } from "./override.js";

interface Attrs {
  readonly transposeA: boolean;
  readonly transposeB: boolean;
}

/** Products of two matrices on the tiled kernel of the contracts. Batches, and both factors transposed, stay with tfjs. */
export function registerBatchMatMul(): void {
  override<"a" | "b", Attrs>("BatchMatMul", ({ inputs: { a, b }, attrs, backend, allocate }) => {
    const layout = layoutOf(attrs);
    if (layout === undefined || ![a, b].every(isMatrix)) return UNHANDLED;
    const [depth, rows] = attrs.transposeA ? sizesOf(a) : swapped(sizesOf(a));
    const columns = attrs.transposeB ? sizesOf(b)[0] : sizesOf(b)[1];
    const longer = a.shape.length >= b.shape.length ? a : b;
    const result = allocate([...longer.shape.slice(0, -2), rows, columns]);
    multiply(backend, { layout }, { left: a, weight: b, result, rows, columns, depth });
    return result;
  });
}

function layoutOf({ transposeA, transposeB }: Attrs): Product["layout"] | undefined {
  if (transposeA) return transposeB ? undefined : "tn";
  return transposeB ? "nt" : "nn";
}

function isMatrix({ shape, dtype }: tf.TensorInfo): boolean {
  return dtype === "float32" && shape.length >= 2 && shape.slice(0, -2).every((size) => size === 1);
}

function sizesOf({ shape }: tf.TensorInfo): readonly [number, number] {
  const [rows = 1, columns = 1] = shape.slice(-2);
  return [rows, columns];
}

function swapped([first, second]: readonly [number, number]): readonly [number, number] {
  return [second, first];
}
