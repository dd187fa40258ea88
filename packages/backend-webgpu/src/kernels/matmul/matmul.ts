import type { FusedActivation, Storage } from "@basic-mllm/core";
import type * as tf from "@tensorflow/tfjs-core";

import type { WebGpuBackend } from "../../backend.js";
import type { Bindable, Part } from "../../dispatch.js";
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

/** How a workgroup of 256 threads cuts the result. */
export interface Tile {
  readonly rowThreads: number;
  readonly columnThreads: number;
  /** Rows that a thread computes, of 4 columns. */
  readonly perThread: 1 | 4;
  /** Steps of K that are in the workgroup's memory at a time. */
  readonly depth: number;
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

const LARGE: Tile = { rowThreads: 16, columnThreads: 16, perThread: 4, depth: 16 };
const FEW_ROWS: Tile = { ...LARGE, perThread: 1 };
const WIDE: Tile = { rowThreads: 4, columnThreads: 64, perThread: 4, depth: 8 };

/** Up to so many rows, most of a large tile would be idle. */
const FEW = 32;

/** From so many columns on, three quarters of a wide tile have work at least. */
const MANY = 512;

function tileFor(rows: number, columns: number): Tile {
  if (rows > FEW) return LARGE;
  return columns < MANY ? FEW_ROWS : WIDE;
}

/** Adds a matrix product to the commands: see {@link Product}. */
export function multiply(
  backend: WebGpuBackend,
  what: Partial<Omit<Product, "bias">>,
  { left, weight, bias, result, rows, columns, depth }: Operands,
): void {
  const product = { ...PLAIN, ...what, bias: bias !== undefined };
  const tile = tileFor(rows, columns);
  const { rowThreads, columnThreads, perThread } = tile;
  backend.dispatch(matmulProgram(product, tile), {
    reads: { left, weight, ...(bias !== undefined && { bias }) },
    writes: { result },
    uniforms: { rows, columns, depth },
    workgroups: [Math.ceil(columns / (4 * columnThreads)), Math.ceil(rows / (perThread * rowThreads))],
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
    `${tile.rowThreads * tile.perThread}x${4 * tile.columnThreads}`,
  ];
  return defineProgram<string, string, string>({
    name: `matmul ${words.filter(Boolean).join(" ")}`,
    reads: { left: "f32", weight: storage === "f32" ? "f32" : "i32", ...(bias && { bias: "f32" }) },
    writes: { result: "f32" },
    uniforms: { rows: "u32", columns: "u32", depth: "u32" },
    code: () => matmulCode(product, tile),
  });
}
