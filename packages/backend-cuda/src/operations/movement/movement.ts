import { BasicError, formatShape } from "@basic-mllm/core";
import * as tf from "@tensorflow/tfjs-core";

import type { CudaBackend } from "../../backend.js";
import { storageOf } from "../../memory/storage.js";
import { type Call, type Operations, operation, unsupported } from "../operation.js";
import { rowMajorStrides, sizeOf } from "../shapes.js";
import { copyBox, copyStrided, fill } from "./copy.js";
import { transpose } from "./transpose.js";

interface BoxAttrs {
  readonly begin: number | number[];
  readonly size: number | number[];
}

const slice = operation<"x", BoxAttrs>((call) => {
  const { x } = call.inputs;
  const { begin, size } = call.attrs;
  const [from, sizes] = tf.slice_util.parseSliceParams(x as tf.Tensor, begin, size) as [number[], number[]];
  tf.slice_util.assertParamsValid(x as tf.Tensor, from, sizes);
  return boxOf(call, { x, begin: from, size: sizes });
});

interface Box {
  readonly x: tf.TensorInfo;
  readonly begin: readonly number[];
  readonly size: readonly number[];
}

/** The box of `size` at `begin`; the same memory where that is everything. */
function boxOf(
  { name, backend, allocate }: Pick<Call<string, object>, "name" | "backend" | "allocate">,
  { x, begin, size }: Box,
): tf.TensorInfo {
  checkBox(name, { x, begin, size });
  if (tf.util.arraysEqual([...size], x.shape)) return backend.alias(x);
  const y = allocate(size, x.dtype, storageOf(x));
  copyBox(backend, { x, y, begin });
  return y;
}

/** tfjs lets boxes pass that begin before the first element, or behind the last one. */
function checkBox(name: string, { x, begin, size }: Box): void {
  const inside = x.shape.every((most, axis) => {
    const [from, count] = [begin[axis] as number, size[axis] as number];
    return from >= 0 && count >= 0 && from + count <= most;
  });
  if (inside) return;
  throw new BasicError(
    "E_SHAPE",
    `${name}: the part of size ${formatShape(size)} at ${formatShape(begin)} is not inside of a tensor of shape ` +
      `${formatShape(x.shape)}. Count positions from the start of each axis, from 0 on.`,
  );
}

interface StridedAttrs {
  readonly begin: number[];
  readonly end: number[];
  readonly strides: number[];
  readonly beginMask: number;
  readonly endMask: number;
  readonly ellipsisMask: number;
  readonly newAxisMask: number;
  readonly shrinkAxisMask: number;
}

const stridedSlice = operation<"x", StridedAttrs>(({ inputs: { x }, attrs, backend, allocate }) => {
  const { begin, end, strides, finalShape } = tf.slice_util.sliceInfo(
    x.shape,
    attrs.begin,
    attrs.end,
    attrs.strides,
    attrs.beginMask,
    attrs.endMask,
    attrs.ellipsisMask,
    attrs.newAxisMask,
    attrs.shrinkAxisMask,
  );
  const y = allocate(finalShape, x.dtype, storageOf(x));
  if (sizeOf(finalShape) === 0) return y;
  const sizes = tf.slice_util.computeOutShape(begin, end, strides);
  const own = rowMajorStrides(x.shape);
  copyStrided(backend, {
    x,
    y,
    sizes,
    xStrides: own.map((stride, axis) => stride * (strides[axis] as number)),
    yStrides: rowMajorStrides(sizes),
    from: own.reduce((sum, stride, axis) => sum + stride * (begin[axis] as number), 0),
  });
  return y;
});

/** Tile: every axis becomes two, of which the outer one repeats. */
const tile = operation<"x", { reps: number[] }>(({ inputs: { x }, attrs: { reps }, backend, allocate }) => {
  const shape = x.shape.map((size, axis) => size * (reps[axis] as number));
  const y = allocate(shape, x.dtype, storageOf(x));
  copyStrided(backend, {
    x,
    y,
    sizes: x.shape.flatMap((size, axis) => [reps[axis] as number, size]),
    xStrides: rowMajorStrides(x.shape).flatMap((stride) => [0, stride]),
    yStrides: rowMajorStrides(shape).flatMap((stride, axis) => [stride * (x.shape[axis] as number), stride]),
  });
  return y;
});

interface PadAttrs {
  readonly paddings: readonly (readonly [number, number])[];
  readonly constantValue: number;
}

const pad = operation<"x", PadAttrs>(({ name, inputs: { x }, attrs, backend, allocate }) => {
  checkPaddings(name, attrs.paddings);
  const padding = (axis: number, side: 0 | 1) => attrs.paddings[axis]?.[side] ?? 0;
  const shape = x.shape.map((size, axis) => padding(axis, 0) + size + padding(axis, 1));
  const y = allocate(shape, x.dtype, storageOf(x));
  const yStrides = rowMajorStrides(shape);
  if (sizeOf(shape) > sizeOf(x.shape)) fill(backend, y, attrs.constantValue);
  copyStrided(backend, {
    x,
    y,
    sizes: x.shape,
    xStrides: rowMajorStrides(x.shape),
    yStrides,
    to: yStrides.reduce((sum, stride, axis) => sum + stride * padding(axis, 0), 0),
  });
  return y;
});

/** tfjs does not check it. */
function checkPaddings(name: string, paddings: PadAttrs["paddings"]): void {
  if (paddings.flat().every((count) => count >= 0)) return;
  const given = paddings.map((pair) => formatShape(pair)).join(", ");
  throw new BasicError(
    "E_SHAPE",
    `${name}: paddings of ${given} take elements away. Give counts from 0 on, or use tf.slice.`,
  );
}

const reverse = operation<"x", { dims: number[] }>(
  ({ inputs: { x }, attrs: { dims }, backend, allocate }) => {
    const axes = tf.util.parseAxisParam(dims, x.shape);
    // An axis that is named twice is turned round twice, as in tfjs.
    const turned = x.shape.map((_, axis) => axes.filter((named) => named === axis).length % 2 === 1);
    const strides = rowMajorStrides(x.shape);
    const y = allocate(x.shape, x.dtype, storageOf(x));
    copyStrided(backend, {
      x,
      y,
      sizes: x.shape,
      xStrides: strides.map((stride, axis) => (turned[axis] ? -stride : stride)),
      yStrides: strides,
      from: strides.reduce(
        (sum, stride, axis) => sum + (turned[axis] ? ((x.shape[axis] as number) - 1) * stride : 0),
        0,
      ),
    });
    return y;
  },
);

interface AxisAttrs {
  readonly axis: number;
}

const concat = operation<string, AxisAttrs>(({ name, inputs, attrs, backend, allocate }) => {
  const tensors = Object.values(inputs);
  const [first] = tensors as [tf.TensorInfo];
  const axis = tf.util.parseAxisParam(attrs.axis, first.shape)[0] as number;
  const shapes = tensors.map(({ shape }) => shape);
  tf.backend_util.assertParamsConsistent(shapes, axis);
  const shape = tf.backend_util.computeOutShape(shapes, axis);
  return join(backend, { name, tensors, axis, y: allocate(shape, first.dtype, storageOf(first)) });
});

const pack = operation<string, AxisAttrs>(({ name, inputs, attrs, backend, allocate }) => {
  const tensors = Object.values(inputs);
  const [first] = tensors as [tf.TensorInfo];
  for (const { shape } of tensors) {
    tf.util.assertShapesMatch(first.shape, shape, "All tensors passed to stack must have matching shapes");
  }
  const axis = attrs.axis < 0 ? attrs.axis + first.shape.length + 1 : attrs.axis;
  const shape = first.shape.toSpliced(axis, 0, tensors.length);
  return join(backend, { name, tensors, axis, y: allocate(shape, first.dtype, storageOf(first)) });
});

interface Join {
  readonly name: string;
  readonly tensors: readonly tf.TensorInfo[];
  readonly axis: number;
  readonly y: tf.TensorInfo;
}

/** Writes each tensor, as runs of equal length, beside the others. */
function join(backend: CudaBackend, { name, tensors, axis, y }: Join): tf.TensorInfo {
  const outer = sizeOf(y.shape.slice(0, axis));
  const width = sizeOf(y.shape.slice(axis));
  let to = 0;
  for (const x of tensors) {
    if (x.dtype !== y.dtype) throw unsupported(name, `${y.dtype} beside ${x.dtype}`, "Cast all to one dtype");
    const run = sizeOf(x.shape) / Math.max(outer, 1);
    if (run === 0) continue;
    copyStrided(backend, { x, y, sizes: [outer, run], xStrides: [run, 1], yStrides: [width, 1], to });
    to += run;
  }
  return y;
}

interface SplitAttrs {
  readonly numOrSizeSplits: number | number[];
  readonly axis: number;
}

const split = operation<"x", SplitAttrs>((call) => {
  const { attrs } = call;
  const { x } = call.inputs;
  const axis = tf.util.parseAxisParam(attrs.axis, x.shape)[0] as number;
  const sizes = tf.backend_util.prepareSplitSize(x as tf.Tensor, attrs.numOrSizeSplits, axis);
  let at = 0;
  return sizes.map((size) => {
    const begin = x.shape.map((_, other) => (other === axis ? at : 0));
    at += size;
    return boxOf(call, { x, begin, size: x.shape.with(axis, size) });
  });
});

const unpack = operation<"value", AxisAttrs>((call) => {
  const x = call.inputs.value;
  const axis = tf.util.parseAxisParam(call.attrs.axis, x.shape)[0] as number;
  const [size, shape] = [x.shape.with(axis, 1), x.shape.toSpliced(axis, 1)];
  return Array.from({ length: x.shape[axis] as number }, (_, i) => {
    const begin = x.shape.map((__, other) => (other === axis ? i : 0));
    return { ...boxOf(call, { x, begin, size }), shape };
  });
});

/** Operations that copy values to other places. */
export const movement: Operations = {
  Transpose: transpose,
  Slice: slice,
  StridedSlice: stridedSlice,
  Tile: tile,
  PadV2: pad,
  Reverse: reverse,
  Concat: concat,
  Pack: pack,
  SplitV: split,
  Unpack: unpack,
};
