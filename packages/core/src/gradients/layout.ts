import * as tf from "@tensorflow/tfjs-core";

import { BasicError } from "../errors.js";
import { fromInput, type StockGradient } from "./stock-gradient.js";

/** Gradients of kernels that move values. */
export const layoutGradients: readonly StockGradient[] = [
  fromInput("Reshape", (dy, x) => tf.reshape(dy, x.shape)),
  fromInput("ExpandDims", (dy, x) => tf.reshape(dy, x.shape), "input"),
  fromInput("Slice", (dy, x, attrs) => {
    const { begin, size } = attrs as { begin: number | number[]; size: number | number[] };
    const [starts] = tf.slice_util.parseSliceParams(x, begin, size);
    const paddings = x.shape.map((total, axis): [number, number] => {
      const start = starts?.[axis] as number;
      return [start, total - start - (dy.shape[axis] as number)];
    });
    return tf.pad(dy, paddings);
  }),
  fromInput("PadV2", (dy, x, attrs) => {
    const { paddings } = attrs as { paddings: [number, number][] };
    return tf.slice(
      dy,
      paddings.map(([before]) => before),
      x.shape,
    );
  }),
  fromInput("Tile", (dy, x, attrs) => sumCopies(dy, x.shape, (attrs as { reps: number[] }).reps)),
  {
    kernel: "Transpose",
    gradients: ({ dy, attrs }) => ({
      x: () => tf.transpose(dy, tf.backend_util.getUndoAxesPermutation((attrs as { perm: number[] }).perm)),
    }),
  },
  {
    kernel: "Concat",
    save: "all",
    gradients: ({ dy, saved, attrs }) => {
      const [first] = saved as [tf.Tensor];
      const [axis] = tf.util.parseAxisParam((attrs as { axis: number }).axis, first.shape) as [number];
      return byIndex(saved, (tensor, i) => {
        const begin = dy.shape.map(() => 0);
        begin[axis] = saved.slice(0, i).reduce((sum, { shape }) => sum + (shape[axis] as number), 0);
        return tf.slice(dy, begin, tensor.shape);
      });
    },
  },
  {
    kernel: "Pack",
    save: "all",
    gradients: ({ dy, saved, attrs }) => {
      const { axis } = attrs as { axis: number };
      return byIndex(saved, (tensor, i) => {
        const place = axis < 0 ? axis + dy.rank : axis;
        const begin = dy.shape.map((_, at) => (at === place ? i : 0));
        const size = dy.shape.map((length, at) => (at === place ? 1 : length));
        return tf.reshape(tf.slice(dy, begin, size), tensor.shape);
      });
    },
  },
  {
    kernel: "Unpack",
    gradients: ({ dys, attrs }) => ({ value: () => tf.stack([...dys], (attrs as { axis: number }).axis) }),
  },
  {
    // The stock gradient fails on a split into one piece.
    kernel: "SplitV",
    gradients: ({ dys, attrs }) => ({
      x: () =>
        dys.length > 1
          ? tf.concat([...dys], (attrs as { axis: number }).axis)
          : tf.clone(dys[0] as tf.Tensor),
    }),
  },
  {
    kernel: "GatherV2",
    save: ["x", "indices"],
    gradients: ({ dy, saved, attrs }) => ({
      x: () => {
        const [x, indices] = saved as [tf.Tensor, tf.Tensor];
        checkGather(attrs as { axis: number; batchDims?: number });
        return scatterAdd(dy, indices, x.shape);
      },
      indices: () => tf.zeros((saved[1] as tf.Tensor).shape),
    }),
  },
];

function byIndex(
  saved: readonly tf.Tensor[],
  gradient: (tensor: tf.Tensor, i: number) => tf.Tensor,
): Record<string, () => tf.Tensor> {
  return Object.fromEntries(
    saved.map((tensor, i): [string, () => tf.Tensor] => [String(i), () => gradient(tensor, i)]),
  );
}

/** Adds up the copies that `tile` made, one axis at a time. */
function sumCopies(dy: tf.Tensor, shape: readonly number[], reps: readonly number[]): tf.Tensor {
  const sizes = [...dy.shape];
  let sum = dy;
  for (const [axis, size] of shape.entries()) {
    if (reps[axis] === 1) continue;
    const outer = sizes.slice(0, axis).reduce((product, length) => product * length, 1);
    const inner = sizes.slice(axis + 1).reduce((product, length) => product * length, 1);
    sum = tf.sum(tf.reshape(sum, [outer, reps[axis] as number, size * inner]), 1);
    sizes[axis] = size;
  }
  return tf.reshape(sum, [...shape]);
}

function checkGather({ axis, batchDims = 0 }: { axis: number; batchDims?: number }): void {
  if (axis === 0 && batchDims === 0) return;
  throw new BasicError(
    "E_NO_GRADIENT",
    `gather: there is a gradient along axis 0 without batch dimensions only, got axis ${axis} and batchDims ${batchDims}. Transpose first.`,
  );
}

/** Adds rows of `dy` into zeros of `shape`, without the loop over all rows of tfjs's own gradient. */
function scatterAdd(dy: tf.Tensor, indices: tf.Tensor, shape: number[]): tf.Tensor {
  if (indices.size === 0) return tf.zeros(shape);
  const rest = shape.slice(1);
  const height = shape[0] as number;
  const updates = tf.reshape(dy, [indices.size, ...rest]);
  const backend = tf.getBackend();
  const hasScatter: unknown = tf.getKernel("ScatterNd", backend);
  if (hasScatter !== undefined || tf.getKernel(SCATTER_ADD_ROWS, backend) === undefined) {
    return tf.scatterND(tf.reshape(indices, [indices.size, 1]), updates, shape);
  }
  // Backends with a body for our contract keep data on the host, or they have ScatterNd.
  const width = rest.reduce((product, length) => product * length, 1);
  const rows = Int32Array.from(indices.dataSync());
  const flat = tf.reshape(updates, [indices.size, width]);
  const attrs = { rows, height } as unknown as tf.NamedAttrMap;
  return tf.reshape(tf.engine().runKernel(SCATTER_ADD_ROWS, { dy: flat }, attrs) as tf.Tensor, shape);
}

/** By name: importing the contract here would be a cycle. */
const SCATTER_ADD_ROWS = "BasicScatterAddRows";
