import type * as tf from "@tensorflow/tfjs-core";

import type { Part, Pointer } from "../../arguments.js";
import type { CudaBackend } from "../../backend.js";
import type { Epilogue, ProductShape } from "../../cublaslt/blas-lt.js";

/** What a product computes: see {@link ProductShape}. */
export interface Product {
  readonly layout: ProductShape["layout"];
  /** Adds to `result` instead of writing it. */
  readonly accumulate?: boolean;
  readonly epilogue?: Epilogue;
}

/** Operands of a product, row-major and without gaps. */
export interface Operands {
  readonly left: Pointer;
  readonly weight: Pointer;
  /** `[columns]`. */
  readonly bias?: Pointer;
  readonly result: tf.TensorInfo | Part;
  readonly rows: number;
  readonly columns: number;
  readonly depth: number;
  /** Independent products, one after the other in memory. Default 1. */
  readonly batch?: number;
}

/** Enqueues a matrix product. With `depth` 0 the result is zeros, or stays as it is. */
export function multiply(
  backend: CudaBackend,
  { layout, accumulate = false, epilogue = "none" }: Product,
  { left, weight, bias = null, result, rows, columns, depth, batch = 1 }: Operands,
): void {
  if (rows * columns * batch === 0 || backend.rehearsing) return;
  if (depth === 0) {
    if (!accumulate) backend.fill(result, 0);
    return;
  }
  backend.blas.multiply(
    { layout, rows, columns, depth, bias: bias !== null, epilogue, batch },
    {
      left: backend.addressOf(left),
      weight: backend.addressOf(weight),
      bias: backend.addressOf(bias),
      result: backend.addressOf(result),
      accumulate,
    },
  );
}
