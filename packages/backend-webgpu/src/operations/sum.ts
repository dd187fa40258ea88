import * as tf from "@tensorflow/tfjs-core";

import { sumColumns } from "../kernels/column-sums/column-sums.js";
import { override, UNHANDLED } from "./override.js";

/**
 * Sums over the first axes (the stock kernel transposes before it adds), and those of no elements (for which it computes
 * a shape of NaN).
 */
export function registerSum(): void {
  override<"x", { axis: number | number[]; keepDims: boolean }>("Sum", ({ inputs, attrs, ...call }) => {
    const { x } = inputs;
    const axes = tf.util.parseAxisParam(attrs.axis, x.shape).sort((a, b) => a - b);
    const leading = axes.every((axis, i) => axis === i) && axes.length < x.shape.length;
    const size = tf.util.sizeFromShape(x.shape);
    if (x.dtype !== "float32" || (size > 0 && !leading)) return UNHANDLED;
    const kept = x.shape.map((length, axis) => (axes.includes(axis) ? 1 : length));
    const columns = tf.util.sizeFromShape(kept);
    const result = call.allocate(attrs.keepDims ? kept : kept.filter((_, axis) => !axes.includes(axis)));
    const rows = size === 0 ? 0 : size / columns;
    sumColumns(call.backend, { x, rows, columns, result, scratch: call.scratch });
    return result;
  });
}
