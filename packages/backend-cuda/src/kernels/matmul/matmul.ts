import { withTensors } from "@basic-mllm/core/device";
import type * as tf from "@tensorflow/tfjs-core";

import type { Part, Pointer } from "../../arguments.js";
import type { CudaBackend } from "../../backend.js";
import type { Epilogue, ProductShape } from "../../cublaslt/blas-lt.js";
import { bytesOf, type RehearsedWork } from "../../work.js";

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

/** Enqueues a matrix product. With `depth` 0 the sums are zeros; bias and epilogue come on top as with any other. */
export function multiply(backend: CudaBackend, product: Product, operands: Operands): void {
  const { layout, accumulate = false, epilogue = "none" } = product;
  const { left, weight, bias = null, result, rows, columns, depth, batch = 1 } = operands;
  if (rows * columns * batch === 0) return;
  if (backend.rehearsing) {
    backend.rehearsed(() => workOf(product, operands));
    return;
  }
  if (depth === 0) {
    multiplyNothing(backend, product, operands);
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

/** The library takes no empty matrices: where zeros are not all, factors of a single zero each take their place. */
function multiplyNothing(backend: CudaBackend, product: Product, operands: Operands): void {
  const { accumulate = false, epilogue = "none" } = product;
  const { bias = null, result, rows, columns, batch = 1 } = operands;
  if (bias === null && epilogue === "none") {
    if (!accumulate) backend.fill(result, 0);
    return;
  }
  withTensors(backend, (_, scratch) => {
    const [left, weight] = [scratch([batch, rows]), scratch([batch, columns])];
    for (const factor of [left, weight]) backend.fill(factor, 0);
    multiply(backend, product, { ...operands, left, weight, depth: 1 });
  });
}

function workOf(
  { layout, accumulate = false }: Product,
  { bias = null, rows, columns, depth, batch = 1 }: Operands,
): RehearsedWork {
  const factors = batch * depth * (rows + columns);
  const results = batch * rows * columns * (accumulate ? 2 : 1);
  return {
    name: `product ${layout}`,
    kind: "product",
    shape: [rows, columns, depth],
    bytes: 4 * (factors + results) + bytesOf(bias),
    flops: 2 * batch * rows * columns * depth,
  };
}
