import { defineProgram, type Program } from "../../program.js";
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
});

const rows = defineProgram({
  name: "Select rows",
  source,
  entry: "select_rows",
  params: { ...values, inner: "i32", count: "i32" },
  block: THREADS,
});

/** Select: a condition for each element, or one for each entry of the first axis. */
export const select: Operations = {
  Select: operation<"condition" | "t" | "e">(({ name, inputs: { condition, t, e }, backend, allocate }) => {
    if (t.dtype !== e.dtype) throw unsupported(name, `${t.dtype} or ${e.dtype}`, "Cast both to one dtype");
    const y = allocate(t.shape, t.dtype);
    const count = sizeOf(t.shape);
    const inner = count / Math.max(sizeOf(condition.shape), 1);
    const args = { condition, t, e, y, count };
    if (inner > 1) backend.dispatch(rows, { grid: [Math.ceil(count / THREADS)], args: { ...args, inner } });
    else backend.dispatch(flat, { grid: [Math.ceil(count / (THREADS * 4))], args });
    return y;
  }),
};

/** Kernels of Select. */
export const selectPrograms: readonly Program[] = [flat, rows];
