import { squaredNorm } from "@basic-mllm/core";
import type * as tf from "@tensorflow/tfjs-core";

import { defineProgram } from "../../program.js";
import { implement } from "../implement.js";
import { tensorTable } from "../tensors/tensors.js";
import source from "./squared-norm.cu";

const THREADS = 256;

const squaresProgram = defineProgram({
  name: "squares",
  source,
  entry: "squares",
  params: { table: "pointer", sums: "pointer", tensors: "i32" },
  block: THREADS,
});

const totalProgram = defineProgram({
  name: "sum of squares",
  source,
  entry: "sum_of_squares",
  params: { sums: "pointer", total: "pointer", count: "i32" },
  block: THREADS,
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
