import { squaredNorm } from "@basic-mllm/core";
import type * as tf from "@tensorflow/tfjs-core";
import { defineProgram } from "../../program.js";
import { bytesOf } from "../../work.js";
import { implement } from "../implement.js";
import { elementsOf, tensorTable } from "../tensors/tensors.js";
import source from "./squared-norm.cu";

const THREADS = 256;

const squaresProgram = defineProgram({
  name: "squares",
  source,
  entry: "squares",
  params: { table: "pointer", sums: "pointer", tensors: "i32" },
  block: THREADS,
  work: ({ table, sums }) => {
    const values = elementsOf(table);
    return { bytes: 4 * values + bytesOf(sums), flops: 2 * values };
  },
});

const totalProgram = defineProgram({
  name: "sum of squares",
  source,
  entry: "sum_of_squares",
  params: { sums: "pointer", total: "pointer", count: "i32" },
  block: THREADS,
  work: ({ sums, total, count }) => ({ bytes: bytesOf(sums, total), flops: count }),
});

/** BasicSquaredNorm: always the same sums in the same order. */
export function registerSquaredNorm(): void {
  implement(squaredNorm, ({ backend, inputs, out, scratch, dispatch }) => {
    const rows = Object.values<tf.TensorInfo>(inputs).map((tensor) => ({ tensors: [tensor] }));
    const { table, tensors, blocks } = tensorTable(backend, rows);
    const sums = scratch([blocks]);
    dispatch(squaresProgram, { grid: [blocks], args: { table, sums, tensors } });
    dispatch(totalProgram, { grid: [1], args: { sums, total: out(0), count: blocks } });
  });
}

/** Every program of the squared norm. */
export const squaredNormPrograms = [squaresProgram, totalProgram];
