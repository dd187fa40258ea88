import * as tf from "@tensorflow/tfjs-core";

import type { CpuBackend, Output } from "../backend.js";
import { loops, override, rowMajorStrides, sizeOf, UNHANDLED } from "./register.js";

export function registerMovement(): void {
  registerTranspose();
  registerSlice();
  registerTile();
  registerPad();
  registerSplit();
  registerUnpack();
}

/** Copies the box of `size` at `begin` out of `x`. */
function copyBox(
  backend: CpuBackend,
  x: tf.TensorInfo,
  begin: readonly number[],
  size: readonly number[],
): Output {
  const strides = rowMajorStrides(x.shape);
  const out = backend.allocate(size);
  const offset = strides.reduce((sum, stride, axis) => sum + stride * (begin[axis] as number), 0);
  if (out.values.length > 0) {
    const dimensions = loops(size, strides, rowMajorStrides(size));
    backend.native.copyStrided(backend.floats(x), offset, out.values, 0, dimensions);
  }
  return out;
}

function registerTranspose(): void {
  override<"x", { perm: number[] }>("Transpose", ({ inputs: { x }, attrs: { perm }, backend }) => {
    if (x.dtype !== "float32") return UNHANDLED;
    const strides = rowMajorStrides(x.shape);
    const shape = perm.map((axis) => x.shape[axis] as number);
    const out = backend.allocate(shape);
    const from = perm.map((axis) => strides[axis] as number);
    const dimensions = loops(shape, from, rowMajorStrides(shape));
    backend.native.copyStrided(backend.floats(x), 0, out.values, 0, dimensions);
    return out;
  });
}

interface SliceAttrs {
  readonly begin: number | number[];
  readonly size: number | number[];
}

function registerSlice(): void {
  override<"x", SliceAttrs>("Slice", ({ inputs: { x }, attrs, backend }) => {
    if (x.dtype !== "float32") return UNHANDLED;
    const [begin, size] = tf.slice_util.parseSliceParams(x as tf.Tensor, attrs.begin, attrs.size);
    tf.slice_util.assertParamsValid(x as tf.Tensor, begin as number[], size as number[]);
    return copyBox(backend, x, begin as number[], size as number[]);
  });
}

/** Tile: every axis becomes two, of which the outer one repeats. */
function registerTile(): void {
  override<"x", { reps: number[] }>("Tile", ({ inputs: { x }, attrs: { reps }, backend }) => {
    if (x.dtype !== "float32" || reps.length !== x.shape.length) return UNHANDLED;
    const out = backend.allocate(x.shape.map((size, axis) => size * (reps[axis] as number)));
    const [from, to] = [rowMajorStrides(x.shape), rowMajorStrides(out.shape)];
    const sizes = x.shape.flatMap((size, axis) => [reps[axis] as number, size]);
    const xStrides = from.flatMap((stride) => [0, stride]);
    const outStrides = to.flatMap((stride, axis) => [stride * (x.shape[axis] as number), stride]);
    const dimensions = loops(sizes, xStrides, outStrides);
    backend.native.copyStrided(backend.floats(x), 0, out.values, 0, dimensions);
    return out;
  });
}

interface PadAttrs {
  readonly paddings: readonly (readonly [number, number])[];
  readonly constantValue: number;
}

function registerPad(): void {
  override<"x", PadAttrs>("PadV2", ({ inputs: { x }, attrs: { paddings, constantValue }, backend }) => {
    if (x.dtype !== "float32") return UNHANDLED;
    const padding = (axis: number, side: 0 | 1) => paddings[axis]?.[side] ?? 0;
    const shape = x.shape.map((size, axis) => size + padding(axis, 0) + padding(axis, 1));
    const out = backend.allocate(shape);
    const to = rowMajorStrides(shape);
    const offset = to.reduce((sum, stride, axis) => sum + stride * padding(axis, 0), 0);
    backend.native.fill(out.values, constantValue);
    if (sizeOf(x.shape) > 0) {
      const dimensions = loops(x.shape, rowMajorStrides(x.shape), to);
      backend.native.copyStrided(backend.floats(x), 0, out.values, offset, dimensions);
    }
    return out;
  });
}

interface SplitAttrs {
  readonly numOrSizeSplits: number | number[];
  readonly axis: number;
}

function registerSplit(): void {
  override<"x", SplitAttrs>("SplitV", ({ inputs: { x }, attrs, backend }) => {
    if (x.dtype !== "float32") return UNHANDLED;
    const axis = tf.util.parseAxisParam(attrs.axis, x.shape)[0] as number;
    const sizes = tf.backend_util.prepareSplitSize(x as tf.Tensor, attrs.numOrSizeSplits, axis);
    const begin = new Array<number>(x.shape.length).fill(0);
    return sizes.map((size) => {
      const part = copyBox(backend, x, begin, x.shape.with(axis, size));
      begin[axis] = (begin[axis] as number) + size;
      return part;
    });
  });
}

function registerUnpack(): void {
  override<"value", { axis: number }>("Unpack", ({ inputs: { value }, attrs, backend }) => {
    if (value.dtype !== "float32") return UNHANDLED;
    const axis = tf.util.parseAxisParam(attrs.axis, value.shape)[0] as number;
    const [size, shape] = [value.shape.with(axis, 1), value.shape.toSpliced(axis, 1)];
    return Array.from({ length: value.shape[axis] as number }, (_, i) => {
      const begin = value.shape.map((__, other) => (other === axis ? i : 0));
      return { ...copyBox(backend, value, begin, size), shape };
    });
  });
}
