import * as tf from "@tensorflow/tfjs-core";

import {
  asNumbers,
  fromInput,
  fromOutput,
  fromPair,
  keepWhere,
  type StockGradient,
} from "./stock-gradient.js";

const same = (dy: tf.Tensor) => dy;

const binary: readonly StockGradient[] = [
  fromPair("Add", same, same),
  fromPair("Sub", same, (dy) => tf.neg(dy)),
  fromPair(
    "Multiply",
    (dy, _a, b) => tf.mul(dy, b),
    (dy, a) => tf.mul(dy, a),
  ),
  fromPair(
    "RealDiv",
    (dy, _a, b) => tf.div(dy, b),
    (dy, a, b) => tf.neg(tf.div(tf.mul(dy, tf.div(a, b)), b)),
  ),
  fromPair(
    "Maximum",
    (dy, a, b) => tf.mul(dy, asNumbers(tf.greaterEqual(a, b))),
    (dy, a, b) => tf.mul(dy, asNumbers(tf.less(a, b))),
  ),
  fromPair(
    "Minimum",
    (dy, a, b) => tf.mul(dy, asNumbers(tf.lessEqual(a, b))),
    (dy, a, b) => tf.mul(dy, asNumbers(tf.greater(a, b))),
  ),
];

const unary: readonly StockGradient[] = [
  { kernel: "Identity", gradients: ({ dy }) => ({ x: () => tf.clone(dy) }) },
  { kernel: "Neg", gradients: ({ dy }) => ({ x: () => tf.neg(dy) }) },
  { kernel: "Cast", gradients: ({ dy }) => ({ x: () => tf.cast(dy, "float32") }) },
  fromOutput("Exp", (dy, y) => tf.mul(dy, y)),
  fromInput("Log", (dy, x) => tf.div(dy, x)),
  fromOutput("Sqrt", (dy, y) => tf.div(dy, tf.mul(y, 2))),
  fromOutput("Rsqrt", (dy, y) => tf.mul(dy, tf.mul(tf.mul(tf.square(y), y), -0.5))),
  fromInput("Square", (dy, x) => tf.mul(dy, tf.mul(x, 2))),
  fromInput("Abs", (dy, x) => tf.mul(dy, tf.sub(asNumbers(tf.greater(x, 0)), asNumbers(tf.less(x, 0))))),
  fromOutput("Sigmoid", (dy, y) => tf.mul(dy, tf.mul(y, tf.sub(1, y)))),
  fromOutput("Tanh", (dy, y) => tf.mul(dy, tf.sub(1, tf.square(y)))),
  fromInput("Erf", (dy, x) => tf.mul(dy, tf.mul(tf.exp(tf.neg(tf.square(x))), 2 / Math.sqrt(Math.PI)))),
  fromInput("Relu", (dy, x) => keepWhere(tf.greater(x, 0), dy)),
  fromInput("ClipByValue", (dy, x, attrs) => {
    const { clipValueMin, clipValueMax } = attrs as { clipValueMin: number; clipValueMax: number };
    const above = tf.greaterEqual(x, clipValueMin);
    return keepWhere(above, keepWhere(tf.lessEqual(x, clipValueMax), dy));
  }),
];

/** Kernels whose output steps: their gradient is 0, so that a mask on the tape stops nothing else. */
const steps: readonly StockGradient[] = [
  ...["Greater", "GreaterEqual", "Less", "LessEqual", "Equal", "NotEqual", "LogicalAnd", "LogicalOr"].map(
    (kernel): StockGradient => ({
      kernel,
      save: ["a", "b"],
      gradients: ({ saved: [a, b] }) => ({ a: () => zeros(a), b: () => zeros(b) }),
    }),
  ),
  ...["LogicalNot", "ZerosLike", "OnesLike"].map((kernel) => fromInput(kernel, (_dy, x) => zeros(x))),
];

function zeros(like: tf.Tensor | undefined): tf.Tensor {
  return tf.zeros((like as tf.Tensor).shape);
}

/** Gradients of stock kernels that work element by element. */
export const elementwiseGradients: readonly StockGradient[] = [
  ...binary,
  ...unary,
  ...steps,
  {
    kernel: "AddN",
    save: "all",
    gradients: ({ dy, saved }) =>
      Object.fromEntries(saved.map((_, i): [string, () => tf.Tensor] => [String(i), () => tf.clone(dy)])),
  },
  {
    kernel: "Select",
    save: ["condition"],
    gradients: ({ dy, saved: [condition] }) => ({
      condition: () => zeros(condition),
      t: () => keepWhere(condition as tf.Tensor, dy),
      e: () => keepWhere(tf.logicalNot(condition as tf.Tensor), dy),
    }),
  },
];
