import * as tf from "@tensorflow/tfjs-core";

import { allFloats, override, UNHANDLED } from "./register.js";

interface Attrs {
  readonly transposeA: boolean;
  readonly transposeB: boolean;
}

/** BatchMatMul of `[..., m, k]` and `[..., k, n]`; leading sizes are equal, or 1 on one side. */
export function registerMatmul(): void {
  override<"a" | "b", Attrs>("BatchMatMul", ({ inputs, attrs, backend }) => {
    const { a, b } = inputs;
    if (!allFloats([a, b])) return UNHANDLED;
    const [aLead, m, k] = split(a.shape, attrs.transposeA);
    const [bLead, inner, n] = split(b.shape, attrs.transposeB);
    const [aBatch, bBatch] = [tf.util.sizeFromShape(aLead), tf.util.sizeFromShape(bLead)];
    const sameLead = tf.util.arraysEqual(aLead, bLead) || aBatch === 1 || bBatch === 1;
    if (!sameLead || k !== inner) return UNHANDLED;
    const lead = tf.broadcast_util.assertAndGetBroadcastShape(aLead, bLead);
    const c = backend.allocate([...lead, m, n]);
    const { transposeA, transposeB } = attrs;
    const [x, y] = [backend.floats(a), backend.floats(b)];
    backend.native.matmul(x, y, c.values, aBatch, bBatch, m, n, k, transposeA, transposeB);
    return c;
  });
}

/** Leading sizes, then rows and columns of the last two axes, swapped if asked. */
function split(shape: readonly number[], swap: boolean): [number[], number, number] {
  const rows = shape[shape.length - 2] ?? 1;
  const columns = shape[shape.length - 1] ?? 1;
  const lead = shape.slice(0, -2);
  return swap ? [lead, columns, rows] : [lead, rows, columns];
}
