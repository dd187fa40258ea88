import { BasicError, formatShape } from "@basic-mllm/core";
import * as tf from "@tensorflow/tfjs-core";
import type { CudaBackend } from "../../backend.js";
import { defineProgram, type Program } from "../../program.js";
import { bytesOf, countOf } from "../../work.js";
import { bitsOf, type Operation, type Operations, operation, typeOf, unsupported } from "../operation.js";
import { blocksFor, lanesFor, THREADS } from "../reduction/plan.js";
import { sizeOf } from "../shapes.js";
import gatherSource from "./gather.cu";
import oneHotSource from "./one-hot.cu";
import scatterSource from "./scatter-add.cu";
import softmaxSource from "./softmax.cu";

function softmaxProgram(name: string, logarithm: 0 | 1) {
  return defineProgram({
    name,
    source: softmaxSource,
    entry: "softmax",
    defines: { LOGARITHM: logarithm },
    params: { x: "pointer", y: "pointer", width: "i32", lanes: "i32", rows: "i32" },
    block: THREADS,
    work: ({ x, y }) => ({ bytes: bytesOf(x, y), flops: 5 * countOf(x) }),
  });
}

const softmaxPrograms = [softmaxProgram("Softmax", 0), softmaxProgram("LogSoftmax", 1)] as const;

/** Softmax or LogSoftmax over the last axis. */
function softmax(program: ReturnType<typeof softmaxProgram>): Operation {
  type Attrs = { readonly dim?: number; readonly axis?: number };
  return operation<"logits", Attrs>(({ name, inputs: { logits: x }, attrs, backend, allocate }) => {
    const [axis] = tf.util.parseAxisParam(attrs.dim ?? attrs.axis ?? -1, x.shape) as [number];
    if (x.dtype !== "float32") throw unsupported(name, `${x.dtype} tensors`, "Cast to float32 first");
    if (axis !== x.shape.length - 1) {
      throw unsupported(
        name,
        `axis ${axis} of rank ${x.shape.length}`,
        "Transpose so that it is the last one",
      );
    }
    const width = x.shape[axis] as number;
    const rows = sizeOf(x.shape.slice(0, -1));
    const lanes = lanesFor(width, true);
    const y = allocate(x.shape);
    backend.dispatch(program, {
      grid: [width === 0 ? 0 : blocksFor(rows, lanes)],
      args: { x, y, width, lanes, rows },
    });
    return y;
  });
}

function gatherProgram(word: "int" | "int4") {
  return defineProgram({
    name: `GatherV2 ${word}`,
    source: gatherSource,
    entry: "gather",
    defines: { WORD: word },
    params: {
      x: "pointer",
      indices: "pointer",
      y: "pointer",
      outer: "i32",
      height: "i32",
      picks: "i32",
      inner: "i32",
      count: "i32",
    },
    block: THREADS,
    work: ({ indices, y }) => ({ bytes: bytesOf(indices, y, y), flops: 0 }),
  });
}

const gatherPrograms = { narrow: gatherProgram("int"), wide: gatherProgram("int4") };

interface GatherAttrs {
  readonly axis: number;
  readonly batchDims?: number;
}

const gather = operation<"x" | "indices", GatherAttrs>(
  ({ inputs: { x, indices }, attrs: { axis, batchDims = 0 }, backend, allocate }) => {
    const [along] = tf.util.parseAxisParam(axis, x.shape) as [number];
    const info = tf.backend_util.segment_util.collectGatherOpShapeInfo(
      x as tf.Tensor,
      indices as tf.Tensor,
      along,
      batchDims,
    );
    const y = allocate(info.outputShape, x.dtype);
    const width = info.sliceSize % 4 === 0 ? 4 : 1;
    const count = sizeOf(info.outputShape) / width;
    backend.dispatch(width === 4 ? gatherPrograms.wide : gatherPrograms.narrow, {
      grid: [Math.ceil(count / THREADS)],
      args: {
        x,
        indices,
        y,
        outer: info.outerSize,
        height: info.dimSize,
        picks: sizeOf(indices.shape) / Math.max(info.batchSize, 1),
        inner: info.sliceSize / width,
        count,
      },
    });
    return y;
  },
);

const oneHotProgram = defineProgram({
  name: "OneHot",
  source: oneHotSource,
  entry: "one_hot",
  params: { indices: "pointer", y: "pointer", depth: "i32", on: "i32", off: "i32", count: "i32" },
  block: THREADS,
  work: ({ indices, y }) => ({ bytes: bytesOf(indices, y), flops: 0 }),
});

interface OneHotAttrs {
  readonly dtype: tf.DataType;
  readonly depth: number;
  readonly onValue: number;
  readonly offValue: number;
}

const oneHot = operation<"indices", OneHotAttrs>(({ inputs: { indices }, attrs, backend, allocate }) => {
  const { depth, dtype } = attrs;
  const shape = [...indices.shape, depth];
  const y = allocate(shape, dtype);
  const count = sizeOf(shape);
  const [on, off] = [bitsOf(attrs.onValue, dtype), bitsOf(attrs.offValue, dtype)];
  backend.dispatch(oneHotProgram, {
    grid: [Math.ceil(count / THREADS)],
    args: { indices, y, depth, on, off, count },
  });
  return y;
});

function scatterProgram(type: "float" | "int") {
  return defineProgram({
    name: `scatter add ${type}`,
    source: scatterSource,
    entry: "scatter_add",
    defines: { VALUE: type, TOTAL: type === "float" ? "double" : "int" },
    params: {
      updates: "pointer",
      indices: "pointer",
      strides: "pointer",
      y: "pointer",
      rows: "i32",
      depth: "i32",
      height: "i32",
      inner: "i32",
      each: "i32",
      strict: "i32",
    },
    block: THREADS,
    work: ({ updates, indices, y, height, each }) => ({
      bytes: bytesOf(updates, y) + bytesOf(indices) * Math.ceil(height / each),
      flops: countOf(updates),
    }),
  });
}

const scatterPrograms = { float: scatterProgram("float"), int: scatterProgram("int") };

/** Threads that keep a large GPU busy. */
const BUSY = 2 ** 17;

interface Scatter {
  readonly updates: tf.TensorInfo;
  readonly indices: tf.TensorInfo;
  /** Rows of y between neighbours of each index. */
  readonly strides: readonly number[];
  readonly y: tf.TensorInfo;
  readonly rows: number;
  readonly inner: number;
  /** Whether a target outside of y is a fault, or leaves its row out. */
  readonly strict: boolean;
}

/** y = the sums of the rows of `updates` that go to each of its rows, see scatter-add.cu. */
function scatterAdd(
  backend: CudaBackend,
  { updates, indices, strides, y, rows, inner, strict }: Scatter,
): void {
  const height = inner === 0 ? 0 : sizeOf(y.shape) / inner;
  const each = Math.max(1, Math.floor((height * inner) / BUSY));
  const threads = inner * Math.ceil(height / each);
  backend.dispatch(scatterPrograms[typeOf(updates)], {
    grid: [Math.ceil(threads / THREADS)],
    args: {
      updates,
      indices,
      strides: Int32Array.from(strides),
      y,
      rows,
      depth: strides.length,
      height,
      inner,
      each,
      strict: Number(strict),
    },
  });
}

const segmentSum = operation<"x" | "segmentIds", { numSegments: number }>(
  ({ name, inputs: { x, segmentIds }, attrs, backend, allocate }) => {
    checkSegments(name, x, segmentIds);
    const after = x.shape.slice(segmentIds.shape.length);
    const y = allocate([attrs.numSegments, ...after], x.dtype);
    const rows = sizeOf(segmentIds.shape);
    scatterAdd(backend, {
      updates: x,
      indices: segmentIds,
      strides: [1],
      y,
      rows,
      inner: sizeOf(after),
      strict: false,
    });
    return y;
  },
);

/** tfjs does not check it. */
function checkSegments(name: string, x: tf.TensorInfo, { shape }: tf.TensorInfo): void {
  if (shape.every((size, axis) => x.shape[axis] === size)) return;
  throw new BasicError(
    "E_SHAPE",
    `${name}: segment ids of shape ${formatShape(shape)} do not fit values of shape ${formatShape(x.shape)}. Give an id for ` +
      "each row: the shape of the values must begin with that of the ids.",
  );
}

const scatterNd = operation<"indices" | "updates", { shape: number[] }>(
  ({ inputs: { indices, updates }, attrs: { shape }, backend, allocate }) => {
    const { numUpdates, sliceSize, strides } = tf.backend_util.calculateShapes(
      updates as tf.Tensor,
      indices as tf.Tensor,
      shape,
    );
    const y = allocate(shape, updates.dtype);
    scatterAdd(backend, {
      updates,
      indices,
      strides,
      y,
      rows: numUpdates,
      inner: sliceSize,
      strict: true,
    });
    return y;
  },
);

/** Operations that work on whole rows. */
export const rows: Operations = {
  Softmax: softmax(softmaxPrograms[0]),
  LogSoftmax: softmax(softmaxPrograms[1]),
  GatherV2: gather,
  OneHot: oneHot,
  UnsortedSegmentSum: segmentSum,
  ScatterNd: scatterNd,
};

/** Kernels of the operations on rows. */
export const stockRowPrograms: readonly Program[] = [
  ...softmaxPrograms,
  ...Object.values(gatherPrograms),
  oneHotProgram,
  ...Object.values(scatterPrograms),
];
