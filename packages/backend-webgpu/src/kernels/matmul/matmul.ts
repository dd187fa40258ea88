import type { FusedActivation, Storage } from "@basic-mllm/core";
import type * as tf from "@tensorflow/tfjs-core";

import type { Bindable, Part, WebGpuBackend } from "../../backend.js";
import { defineProgram } from "../../program.js";
import { matmulCode } from "./matmul.wgsl.js";

/** What a product computes. */
export interface Product {
  /**
   * How factors are stored, for `result` `[rows, columns]`: `nt` left `[rows, depth]`, weight `[columns, depth]`; `nn` weight
   * `[depth, columns]`; `tn` left `[depth, rows]`, weight `[depth, columns]`.
   */
  readonly layout: "nt" | "nn" | "tn";
  /** Of the weight. */
  readonly storage: Storage;
  readonly bias: boolean;
  readonly activation: FusedActivation;
  /** Adds to `result` instead of writing it. */
  readonly accumulate: boolean;
}

/** Rows of the result that a thread computes: 4, or 1 where there are few. */
export interface Tile {
  readonly perThread: 1 | 4;
}

/** Operands of a product. */
export interface Operands {
  readonly left: Bindable;
  readonly weight: Bindable;
  /** `[columns]`. */
  readonly bias?: Bindable;
  readonly result: tf.TensorInfo | Part;
  readonly rows: number;
  readonly columns: number;
  readonly depth: number;
}

const PLAIN: Product = { layout: "nt", storage: "f32", bias: false, activation: "none", accumulate: false };

/** Up to so many rows, most of a large tile would be idle. */
const FEW_ROWS = 32;

/** Columns of a tile. */
const COLUMNS = 64;

/** Adds a matrix product to the commands: see {@link Product}. */
export function multiply(
  backend: WebGpuBackend,
  what: Partial<Omit<Product, "bias">>,
  { left, weight, bias, result, rows, columns, depth }: Operands,
): void {
  const product = { ...PLAIN, ...what, bias: bias !== undefined };
  const tile: Tile = { perThread: rows <= FEW_ROWS ? 1 : 4 };
  backend.dispatch(matmulProgram(product, tile), {
    reads: { left, weight, ...(bias !== undefined && { bias }) },
    writes: { result },
    uniforms: { rows, columns, depth },
    workgroups: [Math.ceil(columns / COLUMNS), Math.ceil(rows / (tile.perThread * 16))],
  });
}

/** The program of a product. */
export function matmulProgram(product: Product, tile: Tile) {
  const { layout, storage, bias, activation, accumulate } = product;
  const words = [
    layout,
    storage,
    bias && "bias",
    activation,
    accumulate && "accumulate",
    `x${tile.perThread}`,
  ];
  return defineProgram<string, string, string>({
    name: `matmul ${words.filter(Boolean).join(" ")}`,
    reads: { left: "f32", weight: storage === "f32" ? "f32" : "i32", ...(bias && { bias: "f32" }) },
    writes: { result: "f32" },
    uniforms: { rows: "u32", columns: "u32", depth: "u32" },
    code: () => matmulCode(product, tile),
  });
}
