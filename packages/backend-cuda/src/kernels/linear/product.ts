// Products with frozen weights: float32 ones by cuBLASLt, packed ones by kernels of our own up to some hundred rows. Beyond,
// the weight is decoded first, which costs little beside the product: cuBLASLt then has it.

import type { PackedStorage, Storage } from "@basic-mllm/core";
import { withTensors } from "@basic-mllm/core/device";

import type { CudaBackend } from "../../backend.js";
import { multiply, type Operands } from "../matmul/matmul.js";
import { decodeWeight } from "./decode.js";
import { multiplyPacked, type PackedLayout } from "./packed-product.js";

/** A product with a weight that never trains. */
export interface FrozenProduct {
  readonly layout: PackedLayout;
  /** Of the weight. */
  readonly storage: Storage;
  /** Adds to `result` instead of writing it. */
  readonly accumulate?: boolean;
}

type FrozenOperands = Omit<Operands, "batch">;

/** From so many rows on, decoding takes a tenth of the product's time or less. */
const MANY_ROWS = 512;

/** `result = left · Wᵀ + bias` (`nt`) or `left · W` (`nn`), however W is stored. */
export function multiplyFrozen(
  backend: CudaBackend,
  { layout, storage, accumulate = false }: FrozenProduct,
  operands: FrozenOperands,
): void {
  if (storage === "f32") multiply(backend, { layout, accumulate }, operands);
  else if (operands.rows < MANY_ROWS) multiplyPacked(backend, { layout, storage, accumulate }, operands);
  else multiplyDecoded(backend, { layout, storage, accumulate }, operands);
}

function multiplyDecoded(
  backend: CudaBackend,
  {
    storage,
    ...product
  }: { readonly layout: PackedLayout; readonly storage: PackedStorage; readonly accumulate: boolean },
  operands: FrozenOperands,
): void {
  const { columns, depth, weight } = operands;
  withTensors(backend, (_, scratch) => {
    const values = scratch(product.layout === "nt" ? [columns, depth] : [depth, columns]);
    decodeWeight(backend, storage, { weight, values });
    multiply(backend, product, { ...operands, weight: values });
  });
}
