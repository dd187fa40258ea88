import * as tf from "@tensorflow/tfjs-core";

import { bindShapes } from "../shape.js";
import type { InputSpec, KernelContract } from "./contract.js";
import { runKernel } from "./run.js";

/** Attributes of {@link layerNorm}. */
export type LayerNormAttrs = { readonly epsilon: number };

/** Attributes of {@link layerNormBackward}. Without `needsWeight` it returns `dx` alone. */
export type LayerNormBackwardAttrs = { readonly needsWeight: boolean };

/** Inputs of the contract. */
export type LayerNormInput = "x" | "weight" | "bias";

const shapes: readonly (readonly [title: string, x: InputSpec])[] = [
  ["odd shape", { shape: [9, 41] }],
  ["one row", { shape: [1, 7] }],
  ["one column", { shape: [7, 1] }],
  ["wide", { shape: [3, 513] }],
  ["large magnitudes", { shape: [9, 7], scale: 1e3 }],
  ["rows near zero", { shape: [9, 7], scale: 1e-12 }],
  // Four columns: their mean is exact however a device divides.
  ["a zero row and a constant row", { shape: [3, 4], values: [0, 0, 0, 0, 4, 4, 4, 4, 1, 2, 4, 8] }],
];

/**
 * `y = (x − mean) · inverse · weight + bias` with `inverse = 1 / √(variance + epsilon)`.
 *
 * R rows of width D: `x` `[R, D]`, `weight` and `bias` `[D]`, outputs `y` `[R, D]`, `mean` and `inverse` `[R]`
 * (no gradient). The variance is the biased one, over D, from centred values. Source: arXiv:1607.06450.
 */
export const layerNorm: KernelContract<LayerNormInput, LayerNormAttrs> = {
  name: "BasicLayerNorm",
  inputs: ["x", "weight", "bias"],
  infer: ({ x, weight, bias }) => {
    const { R } = bindShapes("layerNorm", { x: ["RD", x], weight: ["D", weight], bias: ["D", bias] });
    return [x, [R as number], [R as number]];
  },
  reference: ({ x, weight, bias }, { epsilon }) =>
    tf.tidy(() => {
      const mean = tf.mean(x, -1, true);
      const centred = tf.sub(x, mean);
      const inverse = tf.rsqrt(tf.add(tf.mean(tf.square(centred), -1, true), epsilon));
      const y = tf.add(tf.mul(tf.mul(centred, inverse), weight), bias);
      return [y, tf.reshape(mean, [-1]), tf.reshape(inverse, [-1])];
    }),
  save: { inputs: ["x", "weight"], outputs: [false, true, true] },
  gradient: ([dy], { inputs, outputs }, _attrs, needs) => {
    const { x, weight } = inputs as Record<"x" | "weight", tf.Tensor>;
    const [mean, inverse] = outputs as [tf.Tensor, tf.Tensor];
    const needsWeight = needs.has("weight") || needs.has("bias");
    const backward = { dy: dy as tf.Tensor, x, weight, mean, inverse };
    const [dx, dweight, dbias] = runKernel(layerNormBackward, backward, { needsWeight });
    return {
      x: dx as tf.Tensor,
      ...(needsWeight && { weight: dweight as tf.Tensor, bias: dbias as tf.Tensor }),
    };
  },
  differentiable: ["x", "weight", "bias"],
  cases: shapes.map(([title, x]) => ({
    title,
    inputs: { x, weight: { shape: x.shape.slice(1) }, bias: { shape: x.shape.slice(1) } },
    attrs: { epsilon: 1e-5 },
  })),
  // Two sums of D terms, a root and four roundings; centring costs one rounding of |mean|.
  tolerance: { absolute: 1e-6, relative: 2e-6 },
};

/**
 * `dx = inverse · (g − mean(g) − n · mean(g · n))` with `n = (x − mean) · inverse` and `g = dy · weight`;
 * `dweight = Σ_rows dy · n`, `dbias = Σ_rows dy`.
 *
 * `dy`, `x`, `dx` `[R, D]`; `weight`, `dweight`, `dbias` `[D]`; `mean`, `inverse` `[R]`.
 */
export const layerNormBackward: KernelContract<
  "dy" | "x" | "weight" | "mean" | "inverse",
  LayerNormBackwardAttrs
> = {
  name: "BasicLayerNormBackward",
  inputs: ["dy", "x", "weight", "mean", "inverse"],
  infer: ({ dy, x, weight, mean, inverse }, { needsWeight }) => {
    bindShapes("layerNormBackward", {
      dy: ["RD", dy],
      x: ["RD", x],
      weight: ["D", weight],
      mean: ["R", mean],
      inverse: ["R", inverse],
    });
    return needsWeight ? [x, weight, weight] : [x];
  },
  reference: ({ dy, x, weight, mean, inverse }, { needsWeight }) =>
    tf.tidy(() => {
      const r = tf.reshape(inverse, [-1, 1]);
      const n = tf.mul(tf.sub(x, tf.reshape(mean, [-1, 1])), r);
      const g = tf.mul(dy, weight);
      const centred = tf.sub(g, tf.mean(g, -1, true));
      const dx = tf.mul(r, tf.sub(centred, tf.mul(n, tf.mean(tf.mul(g, n), -1, true))));
      return needsWeight ? [dx, tf.sum(tf.mul(dy, n), 0), tf.sum(dy, 0)] : [dx];
    }),
  save: { inputs: [], outputs: [false, false, false] },
  gradient: null,
  differentiable: [],
  cases: shapes.flatMap(([title, x]) =>
    [false, true].map((needsWeight) => ({
      title: needsWeight ? `${title}, with the weights' gradients` : title,
      inputs: {
        dy: { shape: x.shape },
        x,
        weight: { shape: x.shape.slice(1) },
        mean: { shape: x.shape.slice(0, 1), scale: x.scale ?? 1 },
        inverse: { shape: x.shape.slice(0, 1), scale: 1 / (x.scale ?? 1) },
      },
      attrs: { needsWeight },
    })),
  ),
  // The two means cancel: a few roundings of the largest term of a row.
  tolerance: { absolute: 2e-6, relative: 2e-6 },
};
