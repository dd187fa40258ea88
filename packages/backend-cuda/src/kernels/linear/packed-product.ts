// Products with packed weights.
// Up to 8 rows: a warp for two columns, at the speed of the memory. Up to 64: tiles of 32 x 128, else of 128 x 128.

import type { PackedStorage } from "@basic-mllm/core";
import type * as tf from "@tensorflow/tfjs-core";
import type { Part, Pointer } from "../../arguments.js";
import type { CudaBackend } from "../../backend.js";
import { defineProgram } from "../../program.js";
import { bytesOf } from "../../work.js";
import fewRowsSource from "./few-rows.cu";
import packedProductSource from "./packed-product.cu";
import { packedStorages, storageNumbers } from "./storage.js";

/** How a packed weight is stored: `nt` `[columns, depth]`, `nn` `[depth, columns]`. */
export type PackedLayout = "nt" | "nn";

/** A product with a packed weight. */
export interface PackedProduct {
  readonly layout: PackedLayout;
  readonly storage: PackedStorage;
  /** Adds to `result` instead of writing it. */
  readonly accumulate: boolean;
}

/** Operands of a {@link PackedProduct}. */
export interface PackedOperands {
  /** `[rows, depth]`. */
  readonly left: Pointer;
  readonly weight: Pointer;
  /** `[columns]`. */
  readonly bias?: Pointer;
  /** `[rows, columns]`. */
  readonly result: tf.TensorInfo | Part;
  readonly rows: number;
  readonly columns: number;
  readonly depth: number;
}

/** Rows that kernels for few of them are compiled for. */
const FEW_ROWS = [1, 4, 8] as const;
/** Columns of a block there: two for each of eight warps. */
const FEW_ROWS_COLUMNS = 16;

/** Rows of results of a thread of a tile, which has 16 rows of threads. */
const THREAD_ROWS = [2, 8] as const;
const TILE_COLUMNS = 128;
/** Up to so many rows, most of a large tile would be idle. */
const SMALL_TILES = 64;

const params = {
  left: "pointer",
  weight: "pointer",
  bias: "pointer",
  result: "pointer",
  rows: "i32",
  columns: "i32",
  depth: "i32",
  accumulate: "i32",
} as const;

/** `result = left · Wᵀ + bias` (`nt`) or `left · W` (`nn`). */
export function multiplyPacked(
  backend: CudaBackend,
  { layout, storage, accumulate }: PackedProduct,
  { bias = null, ...operands }: PackedOperands,
): void {
  const { rows, columns } = operands;
  if (rows === 0 || columns === 0) return;
  const args = {
    ...operands,
    bias,
    accumulate: Number(accumulate),
  };
  const few = layout === "nt" ? FEW_ROWS.find((most) => rows <= most) : undefined;
  if (few !== undefined) {
    backend.dispatch(fewRowsProgram(storage, few), { grid: [Math.ceil(columns / FEW_ROWS_COLUMNS)], args });
    return;
  }
  const threadRows = rows <= SMALL_TILES ? 2 : 8;
  const grid = [Math.ceil(columns / TILE_COLUMNS), Math.ceil(rows / (16 * threadRows))] as const;
  backend.dispatch(tileProgram(layout, storage, threadRows), { grid, args });
}

type Sizes = Pick<PackedOperands, "rows" | "columns" | "depth">;

function flopsOf({ rows, columns, depth }: Sizes): number {
  return 2 * rows * columns * depth;
}

function fewRowsProgram(storage: PackedStorage, rows: (typeof FEW_ROWS)[number]) {
  return defineProgram({
    name: `few rows ${storage} x${rows}`,
    source: fewRowsSource,
    entry: "few_rows",
    defines: { STORAGE: storageNumbers[storage], ROWS: rows },
    params,
    block: 256,
    work: ({ left, weight, bias, result, accumulate, ...sizes }) => ({
      bytes: bytesOf(left, weight, bias, result) + accumulate * bytesOf(result),
      flops: flopsOf(sizes),
    }),
  });
}

function tileProgram(layout: PackedLayout, storage: PackedStorage, rows: (typeof THREAD_ROWS)[number]) {
  return defineProgram({
    name: `packed product ${layout} ${storage} x${rows}`,
    source: packedProductSource,
    entry: "packed_product",
    defines: { STORAGE: storageNumbers[storage], THREAD_ROWS: rows, TRANSPOSED: Number(layout === "nt") },
    params,
    block: 256,
    // Each tile reads its own strips of both factors.
    work: ({ left, weight, bias, result, accumulate, ...sizes }, [across, down]) => ({
      bytes:
        down * bytesOf(weight) + across * bytesOf(left) + bytesOf(bias) + (1 + accumulate) * bytesOf(result),
      flops: flopsOf(sizes),
    }),
  });
}

/** Every program of packed products. */
export const packedProductPrograms = packedStorages.flatMap((storage) => [
  ...FEW_ROWS.map((rows) => fewRowsProgram(storage, rows)),
  ...THREAD_ROWS.flatMap((rows) => [tileProgram("nt", storage, rows), tileProgram("nn", storage, rows)]),
]);
