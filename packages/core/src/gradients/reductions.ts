import * as tf from "@tensorflow/tfjs-core";

import { asNumbers, fromInput, fromOutput, reduceTo, type StockGradient } from "./stock-gradient.js";

interface AxisAttrs {
  readonly axis?: number | number[];
  readonly reductionIndices?: number | number[];
}

/** The reduced axes and the input's shape with 1 in their place. */
function reduced(x: tf.Tensor, attrs: AxisAttrs): { axes: number[]; kept: number[] } {
  const axes = tf.util.parseAxisParam((attrs.axis ?? attrs.reductionIndices ?? null) as number[], x.shape);
  return { axes, kept: x.shape.map((size, axis) => (axes.includes(axis) ? 1 : size)) };
}

/** Repeats a reduced gradient along the axes that were summed. */
function spread(dy: tf.Tensor, x: tf.Tensor, attrs: AxisAttrs): tf.Tensor {
  const { kept } = reduced(x, attrs);
  return tf.tile(
    tf.reshape(dy, kept),
    x.shape.map((size, axis) => (kept[axis] === size ? 1 : size)),
  );
}

/** A maximum or minimum: each place that reaches it gets the whole gradient. */
function extreme(kernel: string): StockGradient {
  return {
    kernel,
    save: ["x"],
    saveOutput: true,
    gradients: ({ dy, saved, attrs }) => ({
      x: () => {
        const [x, y] = saved as [tf.Tensor, tf.Tensor];
        const { kept } = reduced(x, attrs);
        return tf.mul(asNumbers(tf.equal(x, tf.reshape(y, kept))), tf.reshape(dy, kept));
      },
    }),
  };
}

const matMul: StockGradient = {
  kernel: "BatchMatMul",
  save: ["a", "b"],
  gradients: ({ dy, saved, attrs }) => {
    const [a, b] = saved as [tf.Tensor, tf.Tensor];
    const { transposeA = false, transposeB = false } = attrs as {
      transposeA?: boolean;
      transposeB?: boolean;
    };
    return {
      a: () =>
        reduceTo(
          transposeA ? tf.matMul(b, dy, transposeB, true) : tf.matMul(dy, b, false, !transposeB),
          a.shape,
        ),
      b: () =>
        reduceTo(
          transposeB ? tf.matMul(dy, a, true, transposeA) : tf.matMul(a, dy, !transposeA, false),
          b.shape,
        ),
    };
  },
};

/** Gradients of sums, extremes, products and softmax. */
export const reductionGradients: readonly StockGradient[] = [
  fromInput("Sum", spread),
  fromInput("Mean", (dy, x, attrs) => {
    const count = reduced(x, attrs).axes.reduce((product, axis) => product * (x.shape[axis] as number), 1);
    return tf.div(spread(dy, x, attrs), count);
  }),
  extreme("Max"),
  extreme("Min"),
  matMul,
  fromOutput(
    "Softmax",
    (dy, y, attrs) => {
      const weighted = tf.mul(dy, y);
      const { dim } = attrs as { dim: number };
      return tf.sub(weighted, tf.mul(tf.sum(weighted, dim, true), y));
    },
    "logits",
  ),
  fromOutput(
    "LogSoftmax",
    (dy, y, attrs) => {
      const { axis } = attrs as { axis: number };
      return tf.sub(dy, tf.mul(tf.sum(dy, axis, true), tf.exp(y)));
    },
    "logits",
  ),
];
