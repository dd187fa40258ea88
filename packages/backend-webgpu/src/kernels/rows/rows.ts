// Rows of tables by number, and back.
// v1  one thread for four elements; a table that one binding cannot hold takes several dispatches

import { embedding, rowGather, scatterAddRows, splice } from "@basic-mllm/core";
import { groupRows, groupsWithin } from "@basic-mllm/core/device";
import type * as tf from "@tensorflow/tfjs-core";

import type { WebGpuBackend } from "../../backend.js";
import { defineProgram } from "../../program.js";
import { overCount } from "../elementwise.js";
import { clear } from "../fill/fill.js";
import { implement } from "../implement.js";
import { rowRuns, rowsOf } from "../parts.js";
import { gatherCode, scatterCode } from "./rows.wgsl.js";

/** BasicEmbedding, BasicSplice, BasicRowGather and BasicScatterAddRows. */
export function registerRows(): void {
  implement(embedding, ({ backend, inputs, attrs, out }) => {
    gather(backend, { table: inputs.table, ids: attrs.ids, y: out(0) });
  });
  implement(rowGather, ({ backend, inputs, attrs, out }) => {
    gather(backend, { table: inputs.x, ids: attrs.rows, y: out(0) });
  });
  implement(splice, ({ backend, inputs, attrs, out }) => {
    gather(backend, { table: inputs.table, ids: attrs.ids, y: out(0) });
    gather(backend, { table: inputs.visual, ids: attrs.ids.map((id) => -1 - id), y: out(0) });
  });
  implement(scatterAddRows, ({ backend, inputs, attrs, out }) => {
    scatterAdd(backend, { dy: inputs.dy, rows: attrs.rows, y: out(0) });
  });
}

const gatherProgram = defineProgram({
  name: "gather rows",
  reads: { table: "f32", ids: "i32" },
  writes: { y: "f32" },
  uniforms: { count: "u32", width: "u32", first: "i32", bound: "i32" },
  code: gatherCode,
});

const scatterProgram = defineProgram({
  name: "scatter rows",
  reads: { dy: "f32", targets: "i32", starts: "i32", sources: "i32" },
  writes: { y: "f32" },
  uniforms: { count: "u32", width: "u32", first: "i32" },
  code: scatterCode,
});

/** Rows of a table by number: `y_i = table[ids_i]`. Rows of `y` with a negative number stay as they are. */
export function gather(
  backend: WebGpuBackend,
  { table, ids, y }: { readonly table: tf.TensorInfo; readonly ids: Int32Array; readonly y: tf.TensorInfo },
): void {
  const [height, width] = table.shape as [number, number];
  if (!ids.some((id) => id >= 0)) return;
  const { uniforms, workgroups } = overCount(ids.length * width, backend);
  for (const run of rowRuns(backend, height, width)) {
    backend.dispatch(gatherProgram, {
      reads: { table: rowsOf(table, run, width), ids },
      writes: { y },
      uniforms: { ...uniforms, width, first: run.first, bound: run.count },
      workgroups,
    });
  }
}

/** `y_r = Σ_{i : rows_i = r} dy_i`: 0 where nothing points, and what has a negative number goes nowhere. */
export function scatterAdd(
  backend: WebGpuBackend,
  { dy, rows, y }: { readonly dy: tf.TensorInfo; readonly rows: Int32Array; readonly y: tf.TensorInfo },
): void {
  const [height, width] = y.shape as [number, number];
  clear(backend, y);
  const groups = groupRows(rows);
  for (const run of rowRuns(backend, height, width)) {
    const { targets, starts, sources } = groupsWithin(groups, run.first, run.first + run.count);
    const { uniforms, workgroups } = overCount(targets.length * width, backend);
    backend.dispatch(scatterProgram, {
      reads: { dy, targets, starts, sources },
      writes: { y: rowsOf(y, run, width) },
      uniforms: { ...uniforms, width, first: run.first },
      workgroups,
    });
  }
}
