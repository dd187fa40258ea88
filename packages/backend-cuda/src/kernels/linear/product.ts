// Products with frozen weights: float32 ones by cuBLASLt, packed ones by kernels of our own up to some hundred rows. Beyond,
// the weight is decoded first, which costs little beside the product: cuBLASLt then has it. Of rows in bfloat16 it has weights in
// bfloat16 as they are.

import type { PackedStorage, Storage } from "@basic-mllm/core";
import { withTensors } from "@basic-mllm/core/device";

import type { CudaBackend } from "../../backend.js";
import { isBf16 } from "../../memory/storage.js";
import { stored } from "../convert/convert.js";
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
  const { left, result, rows } = operands;
  const inBf16 = isBf16(left) || isBf16(result);
  if (storage === "f32") multiply(backend, { layout, accumulate }, operands);
  else if (inBf16 && storage === "bf16") {
    multiply(backend, { layout, accumulate, packedWeight: true }, operands);
  } else if (rows >= MANY_ROWS) multiplyDecoded(backend, { layout, storage, accumulate, inBf16 }, operands);
  else if (inBf16) multiplyWidened(backend, { layout, storage, accumulate }, operands);
  else multiplyPacked(backend, { layout, storage, accumulate }, operands);
}

/** A product with a weight that is packed. */
interface WithPacked {
  readonly layout: PackedLayout;
  readonly storage: PackedStorage;
  readonly accumulate: boolean;
}

function multiplyDecoded(
  backend: CudaBackend,
  { storage, inBf16, ...product }: WithPacked & { readonly inBf16: boolean },
  operands: FrozenOperands,
): void {
  const { columns, depth, weight } = operands;
  withTensors(backend, (_, scratch) => {
    const shape = product.layout === "nt" ? [columns, depth] : [depth, columns];
    const values = scratch(shape, "float32", inBf16 ? "bf16" : "f32");
    decodeWeight(backend, storage, { weight, values });
    multiply(backend, product, { ...operands, weight: values });
  });
}

/** Our own kernels read and write float32. */
function multiplyWidened(backend: CudaBackend, product: WithPacked, operands: FrozenOperands): void {
  const { left, result, rows, columns } = operands;
  withTensors(backend, (_, scratch) => {
    const sum = isBf16(result) ? scratch([rows, columns]) : result;
    if (product.accumulate && sum !== result) backend.copy(result, sum);
    const wide = stored(backend, scratch, { x: left, storage: "f32" });
    multiplyPacked(backend, product, { ...operands, left: wide, result: sum });
    if (sum !== result) backend.copy(sum, result);
  });
}
