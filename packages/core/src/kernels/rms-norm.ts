import * as tf from "@tensorflow/tfjs-core";

import { bindShapes } from "../shape.js";
import type { InputSpec, KernelCase, KernelContract } from "./contract.js";
import { runKernel } from "./run.js";

/** Attributes of {@link rmsNorm}. `addOne` scales by `1 + weight`, as Gemma does. */
export type RmsNormAttrs = { readonly epsilon: number; readonly addOne: boolean };

/** Attributes of {@link rmsNormBackward}. Without `needsWeight` it returns `dx` alone. */
export type RmsNormBackwardAttrs = { readonly addOne: boolean; readonly needsWeight: boolean };

const shapes: readonly (readonly [title: string, x: InputSpec])[] = [
  ["odd shape", { shape: [9, 41] }],
  ["one row", { shape: [1, 7] }],
  ["one column", { shape: [7, 1] }],
  ["wide", { shape: [3, 513] }],
  ["large magnitudes", { shape: [9, 7], scale: 1e3 }],
  ["rows near zero", { shape: [9, 7], scale: 1e-12 }],
  ["a zero row", { shape: [2, 3], values: [0, 0, 0, 1, 2, 3] }],
];

const normCases: readonly KernelCase<"x" | "weight", RmsNormAttrs>[] = shapes.flatMap(([title, x]) =>
  [false, true].map((addOne) => ({
    title: addOne ? `${title}, one added to the weight` : title,
    inputs: { x, weight: { shape: x.shape.slice(1) } },
    attrs: { epsilon: 1e-6, addOne },
  })),
);

/**
 * `y = x · inverse · weight` with `inverse = 1 / √(mean(x²) + epsilon)`; `1 + weight` with `addOne`.
 *
 * R rows of width D: `x` `[R, D]`, `weight` `[D]`, outputs `y` `[R, D]` and `inverse` `[R]` (no gradient).
 * Source: arXiv:1910.07467.
 */
export const rmsNorm: KernelContract<"x" | "weight", RmsNormAttrs> = {
  name: "BasicRmsNorm",
  inputs: ["x", "weight"],
  infer: ({ x, weight }) => {
    const { R } = bindShapes("rmsNorm", { x: ["RD", x], weight: ["D", weight] });
    return [x, [R as number]];
  },
  reference: ({ x, weight }, { epsilon, addOne }) =>
    tf.tidy(() => {
      const inverse = tf.rsqrt(tf.add(tf.mean(tf.square(x), -1, true), epsilon));
      const y = tf.mul(tf.mul(x, inverse), addOne ? tf.add(weight, 1) : weight);
      return [y, tf.reshape(inverse, [-1])];
    }),
  save: { inputs: ["x", "weight"], outputs: [false, true] },
  gradient: ([dy], { inputs, outputs }, { addOne }, needs) => {
    const { x, weight } = inputs as Record<"x" | "weight", tf.Tensor>;
    const needsWeight = needs.has("weight");
    const [dx, dweight] = runKernel(
      rmsNormBackward,
      { dy: dy as tf.Tensor, x, weight, inverse: outputs[0] as tf.Tensor },
      { addOne, needsWeight },
    );
    return { x: dx as tf.Tensor, ...(needsWeight && { weight: dweight as tf.Tensor }) };
  },
  differentiable: ["x", "weight"],
  cases: normCases,
  // A sum of D squares, a root and three products: below ten roundings of 6e-8.
  tolerance: { absolute: 1e-6, relative: 1e-6 },
};

/**
 * `dx = inverse · (g − n · mean(g · n))` with `n = x · inverse` and `g = dy · scale`; `dweight = Σ_rows dy · n`.
 *
 * `dy`, `x`, `dx` `[R, D]`; `weight`, `dweight` `[D]`; `inverse` `[R]`. `scale` is `weight` or `1 + weight`.
 */
export const rmsNormBackward: KernelContract<"dy" | "x" | "weight" | "inverse", RmsNormBackwardAttrs> = {
  name: "BasicRmsNormBackward",
  inputs: ["dy", "x", "weight", "inverse"],
  infer: ({ dy, x, weight, inverse }, { needsWeight }) => {
    const specs = { dy: ["RD", dy], x: ["RD", x], weight: ["D", weight], inverse: ["R", inverse] } as const;
    bindShapes("rmsNormBackward", specs);
    return needsWeight ? [x, weight] : [x];
  },
  reference: ({ dy, x, weight, inverse }, { addOne, needsWeight }) =>
    tf.tidy(() => {
      const r = tf.reshape(inverse, [-1, 1]);
      const n = tf.mul(x, r);
      const g = tf.mul(dy, addOne ? tf.add(weight, 1) : weight);
      const dx = tf.mul(r, tf.sub(g, tf.mul(n, tf.mean(tf.mul(g, n), -1, true))));
      return needsWeight ? [dx, tf.sum(tf.mul(dy, n), 0)] : [dx];
    }),
  save: { inputs: [], outputs: [false, false] },
  gradient: null,
  differentiable: [],
  cases: shapes.flatMap(([title, x]) =>
    [false, true].map((flag) => ({
      title: flag ? `${title}, with the weight's gradient` : title,
      inputs: {
        dy: { shape: x.shape },
        x,
        weight: { shape: x.shape.slice(1) },
        inverse: { shape: x.shape.slice(0, 1), scale: 1 / (x.scale ?? 1) },
      },
      attrs: { addOne: flag, needsWeight: flag },
    })),
  ),
  // g − n · mean(g · n) cancels: a few roundings of the largest term of a row.
  tolerance: { absolute: 2e-6, relative: 2e-6 },
};
