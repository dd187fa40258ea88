import type * as tf from "@tensorflow/tfjs-core";
import type { CudaBackend } from "../../backend.js";
import { defineProgram } from "../../program.js";
import { bytesOf, countOf } from "../../work.js";
import source from "./column-sums.cu";

/** Rows that one block adds: COLUMN_ROWS of columns.cuh. */
export const COLUMN_ROWS = 128;

const program = defineProgram({
  name: "column sums",
  source,
  entry: "column_sums",
  params: { x: "pointer", sums: "pointer", rows: "i32", columns: "i32" },
  block: [32, 8],
  work: ({ x, sums }) => ({ bytes: bytesOf(x, sums), flops: countOf(x) }),
});

/** A matrix and where the sums of its columns go. */
interface ColumnSums {
  readonly x: tf.TensorInfo;
  readonly rows: number;
  readonly columns: number;
  readonly result: tf.TensorInfo;
  readonly scratch: (shape: readonly number[]) => tf.TensorInfo;
}

/** Blocks of kernels that use columns.cuh; one that writes zeros where there are no rows. */
export function columnGrid(rows: number, columns: number): readonly [number, number] {
  return [Math.ceil(columns / 32), Math.max(1, Math.ceil(rows / COLUMN_ROWS))];
}

/**
 * Sums of the columns of `x` `[rows, columns]`, 0 without rows: in passes, each over some of the rows at once, always in
 * the same order.
 */
export function sumColumns(backend: CudaBackend, { x, rows, columns, result, scratch }: ColumnSums): void {
  const grid = columnGrid(rows, columns);
  const [, parts] = grid;
  const sums = parts === 1 ? result : scratch([parts, columns]);
  backend.dispatch(program, { grid, args: { x, sums, rows, columns } });
  if (parts > 1) sumColumns(backend, { x: sums, rows: parts, columns, result, scratch });
}

/** Every program of column sums. */
export const columnSumPrograms = [program];
