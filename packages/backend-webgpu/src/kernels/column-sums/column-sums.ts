import type * as tf from "@tensorflow/tfjs-core";

import type { WebGpuBackend } from "../../backend.js";
import { defineProgram } from "../../program.js";
import { columnSumsCode, ROWS_AT_ONCE } from "./column-sums.wgsl.js";

const program = defineProgram({
  name: "column sums",
  reads: { x: "f32" },
  writes: { sums: "f32" },
  uniforms: { rows: "u32", columns: "u32" },
  code: columnSumsCode,
});

/** A matrix and where the sums of its columns go. */
interface ColumnSums {
  readonly x: tf.TensorInfo;
  readonly rows: number;
  readonly columns: number;
  readonly result: tf.TensorInfo;
  readonly scratch: (shape: readonly number[]) => tf.TensorInfo;
}

/**
 * Sums of the columns of `x` `[rows, columns]`, 0 without rows: in passes, each over some of the rows at once, always in
 * the same order.
 */
export function sumColumns(backend: WebGpuBackend, { x, rows, columns, result, scratch }: ColumnSums): void {
  const parts = Math.max(1, Math.ceil(rows / ROWS_AT_ONCE));
  const sums = parts === 1 ? result : scratch([parts, columns]);
  const workgroups = [Math.ceil(columns / 64), parts] as const;
  backend.dispatch(program, { reads: { x }, writes: { sums }, uniforms: { rows, columns }, workgroups });
  if (parts > 1) sumColumns(backend, { x: sums, rows: parts, columns, result, scratch });
}
