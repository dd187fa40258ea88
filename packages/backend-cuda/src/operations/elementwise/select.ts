import { formatShape } from "@basic-mllm/core";
import type * as tf from "@tensorflow/tfjs-core";

import type { Pointer } from "../../arguments.js";
import { defineProgram, type Program } from "../../program.js";
import { bytesOf, type Work } from "../../work.js";
import { type Operations, operation, unsupported } from "../operation.js";
import { sizeOf } from "../shapes.js";
import source from "./select.cu";

const THREADS = 256;

const values = { condition: "pointer", t: "pointer", e: "pointer", y: "pointer" } as const;

const flat = defineProgram({
  name: "Select",
  source,
  entry: "select_flat",
  params: { ...values, count: "i32" },
  block: THREADS,
  work: workOf,
});

const rows = defineProgram({
  name: "Select rows",
  source,
  entry: "select_rows",
  params: { ...values, inner: "i32", count: "i32" },
  block: THREADS,
  work: workOf,
});

/** Both sides, as a warp seldom takes one alone. */
function workOf({ condition, t, e, y }: Readonly<Record<keyof typeof values, Pointer>>): Work {
  return { bytes: bytesOf(condition, t, e, y), flops: 0 };
}

/** Select: a condition for each element, or one for each entry of the first axis. */
export const select: Operations = {
  Select: operation<"condition" | "t" | "e">(({ name, inputs: { condition, t, e }, backend, allocate }) => {
    if (t.dtype !== e.dtype) throw unsupported(name, `${t.dtype} or ${e.dtype}`, "Cast both to one dtype");
    const all = [condition, t, e];
    if (all.some(({ shape }) => sizeOf(shape) === 0)) return allocate(emptyShape(t.shape, all), t.dtype);
    const count = sizeOf(t.shape);
    const inner = count / sizeOf(condition.shape);
    if (formatShape(t.shape) !== formatShape(e.shape) || !Number.isInteger(inner)) {
      const given = `shapes that differ (${all.map(({ shape }) => formatShape(shape)).join(", ")})`;
      throw unsupported(name, given, "Broadcast them to one shape");
    }
    const y = allocate(t.shape, t.dtype);
    const args = { condition, t, e, y, count };
    if (inner > 1) backend.dispatch(rows, { grid: [Math.ceil(count / THREADS)], args: { ...args, inner } });
    else backend.dispatch(flat, { grid: [Math.ceil(count / (THREADS * 4))], args });
    return y;
  }),
};

/** tfjs's broadcastTo leaves an axis of one element as it is where it should have none. */
function emptyShape(shape: readonly number[], all: readonly tf.TensorInfo[]): number[] {
  const ofRank = all.filter((tensor) => tensor.shape.length === shape.length);
  return shape.map((size, axis) => (ofRank.some((tensor) => tensor.shape[axis] === 0) ? 0 : size));
}

/** Kernels of Select. */
export const selectPrograms: readonly Program[] = [flat, rows];
