import * as tf from "@tensorflow/tfjs-core";

import { detach } from "../autodiff.js";
import { bindShapes } from "../shape.js";
import { DEFAULT_CHUNK_BYTES } from "./chunks.js";
import type { KernelContract } from "./contract.js";
import { crossEntropyBackwardCases, crossEntropyCases } from "./cross-entropy-cases.js";
import { checkIndices } from "./index-range.js";
import { runKernel } from "./run.js";

/** Attributes of {@link linearCrossEntropy}. */
export type LinearCrossEntropyAttrs = {
  /** `[R]`: the right token of each row, or -100: the row does not count. */
  readonly labels: Int32Array;
  /** Logits become `softcap · tanh(logit / softcap)`; 0 = none. */
  readonly softcap: number;
  /** Largest block of logits held at once, in bytes: a fast body never stores `[R, V]`. */
  readonly chunkBytes: number;
  /**
   * Also returns `slope`: worth it where x will need a gradient, since the logits are not computed again for it.
   * Default false.
   */
  readonly withSlope?: boolean;
};

/** Attributes of {@link linearCrossEntropyBackward}: which of `dx` (default) and `dweight` it returns. */
export type LinearCrossEntropyBackwardAttrs = Omit<LinearCrossEntropyAttrs, "withSlope"> & {
  /** Default true. */
  readonly needsInput?: boolean;
  readonly needsWeight: boolean;
};

/** Label of a row that is not trained. */
export const IGNORED_LABEL = -100;

/**
 * `loss_r = −log softmax(x_r Wᵀ)[label_r]`, and 0 where the label is -100.
 *
 * R rows of width D, V words: `x` `[R, D]`, `weight` `[V, D]`, outputs `loss` `[R]` and `logSumExp` `[R]` (of the
 * capped logits, without gradient; 0 where the label is -100, so that a fast body may leave those rows out).
 * With `withSlope` also `slope` `[R, D]`: row r is ∂loss_r/∂x_r, without gradient. It is as large as x, never `[R, V]`.
 */
export const linearCrossEntropy: KernelContract<"x" | "weight", LinearCrossEntropyAttrs> = {
  name: "BasicLinearCrossEntropy",
  inputs: ["x", "weight"],
  infer: ({ x, weight }, { labels, withSlope = false }) => {
    const specs = { x: ["RD", x], weight: ["VD", weight], labels: ["R", [labels.length]] } as const;
    const { R, V } = bindShapes("linearCrossEntropy", specs);
    checkLabels("linearCrossEntropy", labels, V as number);
    return [[R as number], [R as number], ...(withSlope ? [x] : [])];
  },
  reference: ({ x, weight }, { labels, softcap, withSlope = false }) =>
    tf.tidy(() => {
      if (labels.length === 0) return [tf.zeros([0]), tf.zeros([0]), ...(withSlope ? [tf.zerosLike(x)] : [])];
      const { value: logits, slope } = capped(tf.matMul(x, weight, false, true), softcap);
      const largest = detach(tf.max(logits, 1, true));
      const shifted = tf.sub(logits, largest);
      const logSum = tf.log(tf.sum(tf.exp(shifted), 1));
      const { hot, counts } = labelMasks(labels, weight.shape[0] as number);
      const loss = tf.mul(tf.sub(logSum, tf.sum(tf.mul(shifted, hot), 1)), counts);
      const logSumExp = tf.mul(tf.add(detach(logSum), tf.reshape(largest, [-1])), counts);
      if (!withSlope) return [loss, logSumExp];
      const p = tf.softmax(detach(logits));
      const g = tf.mul(tf.mul(tf.sub(p, hot), slope), tf.reshape(counts, [-1, 1]));
      return [loss, logSumExp, tf.matMul(g, detach(weight))];
    }),
  save: { inputs: ["x", "weight"], outputs: [false, true, true] },
  gradient: ([dloss], { inputs, outputs }, attrs, needs) => {
    const { x, weight } = inputs as Record<"x" | "weight", tf.Tensor>;
    const { labels, softcap, chunkBytes } = attrs;
    const [logSumExp, slope] = outputs as [tf.Tensor, tf.Tensor?];
    const [needsInput, needsWeight] = [slope === undefined && needs.has("x"), needs.has("weight")];
    const gradients =
      needsInput || needsWeight
        ? [
            ...runKernel(
              linearCrossEntropyBackward,
              { dloss: dloss as tf.Tensor, x, weight, logSumExp },
              { labels, softcap, chunkBytes, needsInput, needsWeight },
            ),
          ]
        : [];
    const dx =
      slope === undefined ? (needsInput ? gradients.shift() : undefined) : byRow(dloss as tf.Tensor, slope);
    const [dweight] = gradients;
    return { ...(dx !== undefined && { x: dx }), ...(dweight !== undefined && { weight: dweight }) };
  },
  differentiable: ["x", "weight"],
  cases: crossEntropyCases(DEFAULT_CHUNK_BYTES),
  // A logit is a sum of D products; the loss is a difference of two numbers as large as the largest logit.
  tolerance: { absolute: 2e-6, relative: 4e-6 },
};

/**
 * With `p = exp(logits − logSumExp)` and `g = dloss_r (p − onehot(label))`, times the slope of the cap:
 * `dx = g W`, `dweight = gᵀ x`. Rows with label -100 give nothing.
 *
 * `dloss`, `logSumExp` `[R]`; `x`, `dx` `[R, D]`; `weight`, `dweight` `[V, D]`.
 */
export const linearCrossEntropyBackward: KernelContract<
  "dloss" | "x" | "weight" | "logSumExp",
  LinearCrossEntropyBackwardAttrs
> = {
  name: "BasicLinearCrossEntropyBackward",
  inputs: ["dloss", "x", "weight", "logSumExp"],
  infer: ({ dloss, x, weight, logSumExp }, { labels, needsInput = true, needsWeight }) => {
    const { V } = bindShapes("linearCrossEntropyBackward", {
      dloss: ["R", dloss],
      x: ["RD", x],
      weight: ["VD", weight],
      logSumExp: ["R", logSumExp],
      labels: ["R", [labels.length]],
    });
    checkLabels("linearCrossEntropyBackward", labels, V as number);
    return [...(needsInput ? [x] : []), ...(needsWeight ? [weight] : [])];
  },
  reference: ({ dloss, x, weight, logSumExp }, { labels, softcap, needsInput = true, needsWeight }) =>
    tf.tidy(() => {
      const wanted = (dx: () => tf.Tensor, dweight: () => tf.Tensor) => [
        ...(needsInput ? [dx()] : []),
        ...(needsWeight ? [dweight()] : []),
      ];
      if (labels.length === 0) {
        return wanted(
          () => tf.zerosLike(x),
          () => tf.zerosLike(weight),
        );
      }
      const logits = capped(tf.matMul(x, weight, false, true), softcap);
      const { hot, counts } = labelMasks(labels, weight.shape[0] as number);
      const rows = tf.reshape(counts, [-1, 1]);
      // Rows that do not count have no log-sum-exp: shift them to 0 before the exponential.
      const p = tf.exp(tf.mul(tf.sub(logits.value, tf.reshape(logSumExp, [-1, 1])), rows));
      const factor = tf.mul(tf.reshape(dloss, [-1, 1]), rows);
      const g = tf.mul(tf.mul(tf.sub(p, hot), factor), logits.slope);
      return wanted(
        () => tf.matMul(g, weight),
        () => tf.matMul(g, x, true, false),
      );
    }),
  save: { inputs: [], outputs: [false, false] },
  gradient: null,
  differentiable: [],
  cases: crossEntropyBackwardCases(DEFAULT_CHUNK_BYTES),
  // p carries the rounding of a logit, which is as large as the largest logit.
  tolerance: { absolute: 2e-6, relative: 4e-6 },
};

/** Every row of `x` times its factor. */
function byRow(factors: tf.Tensor, x: tf.Tensor): tf.Tensor {
  return tf.mul(x, tf.reshape(factors, [-1, 1]));
}

/** Capped logits and the slope of the cap. */
function capped(logits: tf.Tensor, softcap: number): { value: tf.Tensor; slope: tf.Tensor } {
  if (softcap === 0) return { value: logits, slope: tf.scalar(1) };
  const t = tf.tanh(tf.div(logits, softcap));
  return { value: tf.mul(t, softcap), slope: tf.sub(1, tf.square(detach(t))) };
}

/** One-hot labels `[R, V]` (row 0 of ignored labels), and 1 where a row counts `[R]`. */
function labelMasks(labels: Int32Array, words: number): { hot: tf.Tensor; counts: tf.Tensor } {
  const safe = labels.map((label) => (label === IGNORED_LABEL ? 0 : label));
  return {
    // tf.oneHot refuses a single class.
    hot:
      words < 2
        ? tf.ones([labels.length, words])
        : tf.oneHot(tf.tensor1d(safe, "int32"), words, 1, 0, "float32"),
    counts: tf.tensor1d(
      Array.from(labels, (label) => (label === IGNORED_LABEL ? 0 : 1)),
      "float32",
    ),
  };
}

function checkLabels(where: string, labels: Int32Array, limit: number): void {
  const values = labels.map((label) => (label === IGNORED_LABEL ? 0 : label));
  if (limit === 0 && labels.every((label) => label === IGNORED_LABEL)) return;
  checkIndices({ where, name: "`labels`", values, minimum: 0, limit, target: "`weight`" });
}
