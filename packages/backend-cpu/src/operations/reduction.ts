import * as tf from "@tensorflow/tfjs-core";

import type { CpuBackend, Output } from "../backend.js";
import { override, sizeOf, UNHANDLED } from "./register.js";

interface AxisAttrs {
  readonly axis?: number | number[];
  readonly reductionIndices?: number | number[];
  readonly keepDims?: boolean;
}

/** Numbers of the reductions in native/src/ops/reduce.rs. */
const REDUCTIONS = { Sum: 0, Mean: 1, Max: 2 } as const;

export function registerReductions(): void {
  for (const [name, code] of Object.entries(REDUCTIONS)) {
    override<"x", AxisAttrs>(name, ({ inputs: { x }, attrs, backend }) => {
      if (x.dtype !== "float32" || sizeOf(x.shape) === 0) return UNHANDLED;
      const axes = tf.util.parseAxisParam(attrs.axis ?? attrs.reductionIndices ?? allAxes(x), x.shape);
      const shape = x.shape.flatMap((size, axis) =>
        axes.includes(axis) ? (attrs.keepDims === true ? [1] : []) : [size],
      );
      return reduce(backend, code, x, axes, shape);
    });
  }
  registerArgMax();
}

function allAxes(x: tf.TensorInfo): number[] {
  return x.shape.map((_, axis) => axis);
}

/** Neighbouring axes that are all kept or all reduced, as one size. */
interface Group {
  readonly reduced: boolean;
  size: number;
}

function groupAxes(shape: readonly number[], axes: readonly number[]): Group[] {
  const groups: Group[] = [];
  for (const [axis, size] of shape.entries()) {
    if (size === 1) continue;
    const reduced = axes.includes(axis);
    const last = groups.at(-1);
    if (last?.reduced === reduced) last.size *= size;
    else groups.push({ reduced, size });
  }
  return groups;
}

/** Reduces one group of axes after the other, from the last to the first. */
function reduce(
  backend: CpuBackend,
  code: number,
  x: tf.TensorInfo,
  axes: readonly number[],
  shape: readonly number[],
): tf.TensorInfo {
  const groups = groupAxes(x.shape, axes);
  let values = backend.floats(x);
  let out: Output | undefined;
  for (let i = groups.length - 1; i >= 0; i--) {
    const group = groups[i] as Group;
    if (!group.reduced) continue;
    const outer = sizeOf(groups.slice(0, i).map(({ size }) => size));
    const inner = sizeOf(groups.slice(i + 1).map(({ size }) => size));
    const isLast = !groups.slice(0, i).some(({ reduced }) => reduced);
    const next = backend.allocate(isLast ? shape : [outer, inner]);
    backend.native.reduce(code, values, next.values, outer, group.size, inner);
    groups.splice(i, 1);
    if (out !== undefined) backend.disposeIntermediateTensorInfo(out);
    out = next;
    values = next.values;
  }
  return out ?? backend.alias(x, shape);
}

/** ArgMax along one axis; the first of equal elements. */
function registerArgMax(): void {
  override<"x", AxisAttrs>("ArgMax", ({ inputs: { x }, attrs, backend }) => {
    const [axis, ...more] = tf.util.parseAxisParam(attrs.axis ?? 0, x.shape);
    if (x.dtype !== "float32" || axis === undefined || more.length > 0 || sizeOf(x.shape) === 0) {
      return UNHANDLED;
    }
    const [outer, inner] = [sizeOf(x.shape.slice(0, axis)), sizeOf(x.shape.slice(axis + 1))];
    const out = new Int32Array(outer * inner);
    backend.native.argMax(backend.floats(x), out, outer, x.shape[axis] as number, inner);
    return backend.makeTensorInfo(x.shape.toSpliced(axis, 1), "int32", out);
  });
}
