// Rows of tables by number, and back.

import { embedding, rowGather, scatterAddRows, splice } from "@basic-mllm/core";
import { groupRows } from "@basic-mllm/core/device";
import type * as tf from "@tensorflow/tfjs-core";
import type { CudaBackend } from "../../backend.js";
import { ELEMENT_BYTES, storageOf } from "../../memory/storage.js";
import { defineProgram } from "../../program.js";
import { bytesOf, countOf } from "../../work.js";
import { implement } from "../implement.js";
import source from "./rows.cu";

const THREADS = 128;
/** Columns of a block: four a thread. */
const COLUMNS = 4 * THREADS;

const gatherProgram = defineProgram({
  name: "gather rows",
  source,
  entry: "gather_rows",
  params: { table: "activation", other: "activation", ids: "pointer", y: "activation", width: "i32" },
  block: THREADS,
  work: ({ ids, y }) => ({ bytes: bytesOf(ids, y, y), flops: 0 }),
});

const scatterProgram = defineProgram({
  name: "scatter rows",
  source,
  entry: "scatter_rows",
  params: {
    ...({
      dy: "activation",
      targets: "pointer",
      starts: "pointer",
      sources: "pointer",
      y: "pointer",
    } as const),
    width: "i32",
  },
  block: THREADS,
  work: ({ dy, targets, starts, sources, width }) => {
    const [read, written] = [countOf(sources) * width, countOf(targets) * width];
    const bytes = ELEMENT_BYTES[storageOf(dy)] * read + 4 * written;
    return { bytes: bytes + bytesOf(targets, starts, sources), flops: read };
  },
});

/** BasicEmbedding, BasicSplice, BasicRowGather and BasicScatterAddRows. */
export function registerRows(): void {
  implement(
    embedding,
    ({ backend, inputs: { table }, attrs, out }) => {
      gather(backend, { table, other: table, ids: attrs.ids, y: out(0) });
    },
    { reads: ["table"], outputs: [0] },
  );
  implement(
    rowGather,
    ({ backend, inputs: { x }, attrs, out }) => {
      gather(backend, { table: x, other: x, ids: attrs.rows, y: out(0) });
    },
    { reads: ["x"], outputs: [0] },
  );
  implement(
    splice,
    ({ backend, inputs: { table, visual }, attrs, out }) => {
      gather(backend, { table, other: visual, ids: attrs.ids, y: out(0) });
    },
    { reads: ["table", "visual"], outputs: [0] },
  );
  implement(
    scatterAddRows,
    ({ backend, inputs, attrs, out }) => {
      scatterAdd(backend, { dy: inputs.dy, rows: attrs.rows, y: out(0) });
    },
    { reads: ["dy"], outputs: [] },
  );
}

interface Gather {
  readonly table: tf.TensorInfo;
  /** Where negative numbers point: −1 − n is its row n. */
  readonly other: tf.TensorInfo;
  readonly ids: Int32Array;
  readonly y: tf.TensorInfo;
}

/** Rows by number: `y_i = table[ids_i]`. */
export function gather(backend: CudaBackend, { table, other, ids, y }: Gather): void {
  const width = y.shape[1] as number;
  const grid = [ids.length, Math.ceil(width / COLUMNS)] as const;
  backend.dispatch(gatherProgram, { grid, args: { table, other, ids, y, width } });
}

/** `y_r = Σ_{i : rows_i = r} dy_i`: 0 where nothing points, and what has a negative number goes nowhere. */
export function scatterAdd(
  backend: CudaBackend,
  { dy, rows, y }: { readonly dy: tf.TensorInfo; readonly rows: Int32Array; readonly y: tf.TensorInfo },
): void {
  const width = y.shape[1] as number;
  backend.fill(y, 0);
  const { targets, starts, sources } = groupRows(rows);
  const grid = [targets.length, Math.ceil(width / COLUMNS)] as const;
  backend.dispatch(scatterProgram, { grid, args: { dy, targets, starts, sources, y, width } });
}

/** Every program of rows. */
export const rowPrograms = [gatherProgram, scatterProgram];
