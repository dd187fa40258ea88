import * as tf from "@tensorflow/tfjs-core";

import type { CpuBackend } from "../backend.js";
import { allFloats, override, sizeOf, UNHANDLED } from "./register.js";

interface AxisAttrs {
  readonly axis: number;
}

/** Concat and Pack: copies of each input into its part of the output. */
export function registerJoins(): void {
  override<string, AxisAttrs>("Concat", ({ inputs, attrs, backend }) => {
    const tensors = Object.values(inputs);
    const [first] = tensors;
    if (first === undefined || !allFloats(tensors)) return UNHANDLED;
    const axis = tf.util.parseAxisParam(attrs.axis, first.shape)[0] as number;
    const shapes = tensors.map(({ shape }) => shape);
    tf.backend_util.assertParamsConsistent(shapes, axis);
    return join(backend, tensors, tf.backend_util.computeOutShape(shapes, axis), axis);
  });
  override<string, AxisAttrs>("Pack", ({ inputs, attrs, backend }) => {
    const tensors = Object.values(inputs);
    const [first] = tensors;
    if (first === undefined || !allFloats(tensors)) return UNHANDLED;
    for (const { shape } of tensors) {
      tf.util.assertShapesMatch(first.shape, shape, "All tensors passed to stack must have matching shapes");
    }
    const axis = attrs.axis < 0 ? attrs.axis + first.shape.length + 1 : attrs.axis;
    return join(backend, tensors, first.shape.toSpliced(axis, 0, tensors.length), axis);
  });
}

/** Writes each tensor, as `outer` runs of equal length, beside the others. */
function join(
  backend: CpuBackend,
  tensors: readonly tf.TensorInfo[],
  shape: readonly number[],
  axis: number,
): tf.TensorInfo {
  const out = backend.allocate(shape);
  const outer = sizeOf(shape.slice(0, axis));
  const width = sizeOf(shape.slice(axis));
  let offset = 0;
  for (const tensor of tensors) {
    const run = sizeOf(tensor.shape) / Math.max(outer, 1);
    if (run === 0) continue;
    const dimensions = Int32Array.of(outer, run, width, run, 1, 1);
    backend.native.copyStrided(backend.floats(tensor), 0, out.values, offset, dimensions);
    offset += run;
  }
  return out;
}
