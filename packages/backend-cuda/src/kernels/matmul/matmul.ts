import { withTensors } from "@basic-mllm/core/device";
import type * as tf from "@tensorflow/tfjs-core";

import type { Part } from "../../arguments.js";
import type { CudaBackend } from "../../backend.js";
import type { Epilogue, ProductShape } from "../../cublaslt/blas-lt.js";
import { ELEMENT_BYTES, type ElementStorage, isBf16, storageOf } from "../../memory/storage.js";
import { bytesOf, type RehearsedWork } from "../../work.js";
import { stored } from "../convert/convert.js";

/** What a product computes: see {@link ProductShape}. */
export interface Product {
  readonly layout: ProductShape["layout"];
  /** Adds to `result` instead of writing it. */
  readonly accumulate?: boolean;
  readonly epilogue?: Epilogue;
  /** The weight is a packed one of two bfloat16 values a word. */
  readonly packedWeight?: boolean;
}

/** A matrix, row-major and without gaps. */
export type Matrix = tf.TensorInfo | Part;

/** Operands of a product. */
export interface Operands {
  readonly left: Matrix;
  readonly weight: Matrix;
  /** `[columns]`. */
  readonly bias?: tf.TensorInfo | null;
  readonly result: Matrix;
  readonly rows: number;
  readonly columns: number;
  readonly depth: number;
  /** Independent products, one after the other in memory. Default 1. */
  readonly batch?: number;
}

/**
 * Enqueues a matrix product. With `depth` 0 the sums are zeros; bias and epilogue come on top as with any other.
 *
 * In bfloat16 where one of the matrices is kept in it: the other factor is rounded to it first. Sums are in float32.
 */
export function multiply(backend: CudaBackend, product: Product, operands: Operands): void {
  const { rows, columns, batch = 1 } = operands;
  if (rows * columns * batch === 0) return;
  if (factorsOf(product, operands) === "f32") {
    enqueue(backend, product, operands);
    return;
  }
  withTensors(backend, (_, scratch) => {
    const { left, weight, bias = null, result } = operands;
    const rounded = <X extends Matrix>(x: X) => stored(backend, scratch, { x, storage: "bf16" });
    enqueue(backend, product, {
      ...operands,
      left: rounded(left),
      weight: product.packedWeight ? weight : rounded(weight),
      bias: bias && stored(backend, scratch, { x: bias, storage: storageOf(result) }),
    });
  });
}

function factorsOf({ packedWeight }: Product, { left, weight, result }: Operands): ElementStorage {
  return packedWeight || [left, weight, result].some(isBf16) ? "bf16" : "f32";
}

function enqueue(backend: CudaBackend, product: Product, operands: Operands): void {
  const { layout, accumulate = false, epilogue = "none" } = product;
  const { left, weight, bias = null, result, rows, columns, depth, batch = 1 } = operands;
  if (backend.rehearsing) {
    backend.rehearsed(() => workOf(product, operands));
    return;
  }
  if (depth === 0) {
    multiplyNothing(backend, product, operands);
    return;
  }
  const kinds = { factors: factorsOf(product, operands), kept: storageOf(result) };
  backend.blas.multiply(
    { layout, rows, columns, depth, bias: bias !== null, epilogue, batch, ...kinds },
    {
      left: backend.addressOf(left),
      weight: backend.addressOf(weight),
      bias: backend.addressOf(bias),
      result: backend.addressOf(result),
      accumulate,
    },
  );
}

/** The library takes no empty matrices: where zeros are not all, factors of a single zero each take their place. */
function multiplyNothing(
  backend: CudaBackend,
  { packedWeight: _, ...product }: Product,
  operands: Operands,
): void {
  const { accumulate = false, epilogue = "none" } = product;
  const { bias = null, result, rows, columns, batch = 1 } = operands;
  if (bias === null && epilogue === "none") {
    if (!accumulate) backend.fill(result, 0);
    return;
  }
  withTensors(backend, (__, scratch) => {
    const [left, weight] = [scratch([batch, rows]), scratch([batch, columns])];
    for (const factor of [left, weight]) backend.fill(factor, 0);
    multiply(backend, product, { ...operands, left, weight, depth: 1 });
  });
}

function workOf(product: Product, operands: Operands): RehearsedWork {
  const { layout, accumulate = false } = product;
  const { bias = null, result, rows, columns, depth, batch = 1 } = operands;
  const factors = factorsOf(product, operands);
  const results = batch * rows * columns * (accumulate ? 2 : 1);
  return {
    name: `product ${layout}${factors === "bf16" ? ", bf16" : ""}`,
    kind: "product",
    shape: [rows, columns, depth],
    factors,
    bytes:
      ELEMENT_BYTES[factors] * batch * depth * (rows + columns) +
      ELEMENT_BYTES[storageOf(result)] * results +
      bytesOf(bias),
    flops: 2 * batch * rows * columns * depth,
  };
}
