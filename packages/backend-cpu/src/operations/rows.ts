import * as tf from "@tensorflow/tfjs-core";

import { override, sizeOf, UNHANDLED } from "./register.js";

/** Softmax over the last axis, gathers and segment sums. */
export function registerRows(): void {
  override<"logits", { readonly dim?: number }>("Softmax", ({ inputs: { logits }, attrs, backend }) => {
    const last = logits.shape.length - 1;
    const axis = tf.util.parseAxisParam(attrs.dim ?? -1, logits.shape)[0];
    if (logits.dtype !== "float32" || axis !== last || sizeOf(logits.shape) === 0) return UNHANDLED;
    const y = backend.allocate(logits.shape);
    backend.native.softmax(backend.floats(logits), y.values, logits.shape[last] as number);
    return y;
  });
  registerGather();
  registerSegmentSum();
}

interface GatherAttrs {
  readonly axis: number;
  readonly batchDims: number;
}

function registerGather(): void {
  override<"x" | "indices", GatherAttrs>("GatherV2", ({ inputs: { x, indices }, attrs, backend }) => {
    const batchDims = attrs.batchDims ?? 0;
    if (x.dtype !== "float32" || indices.dtype !== "int32" || batchDims !== 0) return UNHANDLED;
    const axis = tf.util.parseAxisParam(attrs.axis, x.shape)[0] as number;
    const [before, after] = [x.shape.slice(0, axis), x.shape.slice(axis + 1)];
    const out = backend.allocate([...before, ...indices.shape, ...after]);
    const [outer, inner, height] = [sizeOf(before), sizeOf(after), x.shape[axis] as number];
    backend.native.gather(backend.floats(x), backend.integers(indices), out.values, outer, height, inner);
    return out;
  });
}

function registerSegmentSum(): void {
  type Attrs = { readonly numSegments: number };
  override<"x" | "segmentIds", Attrs>("UnsortedSegmentSum", ({ inputs, attrs, backend }) => {
    const { x, segmentIds } = inputs;
    if (x.dtype !== "float32" || segmentIds.dtype !== "int32") return UNHANDLED;
    const after = x.shape.slice(segmentIds.shape.length);
    const out = backend.allocate([attrs.numSegments, ...after]);
    if (out.values.length === 0) return out;
    backend.native.segmentSum(backend.floats(x), backend.integers(segmentIds), out.values, sizeOf(after));
    return out;
  });
}
