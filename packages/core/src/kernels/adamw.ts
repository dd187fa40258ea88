import * as tf from "@tensorflow/tfjs-core";

import { BasicError } from "../errors.js";
import { formatShape } from "../shape.js";
import type { InputSpec, KernelCase, KernelContract } from "./contract.js";

/** Attributes of {@link adamw}: PyTorch's names; `step` counts from 1. */
export type AdamwAttrs = {
  readonly learningRate: number;
  readonly beta1: number;
  readonly beta2: number;
  readonly epsilon: number;
  readonly weightDecay: number;
  readonly step: number;
};

/** Inputs of the contract. */
export type AdamwInput = "parameter" | "gradient" | "m" | "v" | "control";

/**
 * One step of AdamW. With `g = gradient · control[0]`:
 *
 * ```text
 * m' = β₁ m + (1 − β₁) g        v' = β₂ v + (1 − β₂) g²
 * p' = p (1 − lr wd) − lr (m' / (1 − β₁ᵗ)) / (√(v' / (1 − β₂ᵗ)) + ε)
 * ```
 *
 * `parameter`, `gradient`, `m`, `v` have one shape; outputs are `parameter'`, `m'`, `v'`. `control` `[2]` holds the
 * gradient's scale and whether to update: with 0 there, everything comes back unchanged, whatever the gradient holds.
 * An update contract: never differentiated. A backend may write in place and return the same buffers.
 * Source: arXiv:1711.05101, with PyTorch's order of operations.
 */
export const adamw: KernelContract<AdamwInput, AdamwAttrs> = {
  name: "BasicAdamw",
  inputs: ["parameter", "gradient", "m", "v", "control"],
  infer: ({ parameter, control, ...others }) => {
    for (const [name, shape] of Object.entries({ ...others })) expectShape(name, shape, parameter);
    expectShape("control", control, [2]);
    return [parameter, parameter, parameter];
  },
  reference: (inputs, attrs) => tf.tidy(() => update(inputs, attrs)),
  save: { inputs: [], outputs: [false, false, false] },
  gradient: null,
  differentiable: [],
  cases: adamwCases(),
  // A dozen roundings of 6e-8 and a root.
  tolerance: { absolute: 1e-7, relative: 1e-6 },
};

function update(
  { parameter, gradient, m, v, control }: Readonly<Record<AdamwInput, tf.Tensor>>,
  { learningRate, beta1, beta2, epsilon, weightDecay, step }: AdamwAttrs,
): tf.Tensor[] {
  const g = tf.mul(gradient, tf.reshape(tf.slice(control, 0, 1), []));
  const newM = tf.add(tf.mul(m, beta1), tf.mul(g, 1 - beta1));
  const newV = tf.add(tf.mul(v, beta2), tf.mul(tf.square(g), 1 - beta2));
  const root = tf.add(tf.sqrt(tf.div(newV, 1 - beta2 ** step)), epsilon);
  const move = tf.mul(tf.div(tf.div(newM, 1 - beta1 ** step), root), learningRate);
  const decayed = tf.mul(parameter, 1 - learningRate * weightDecay);
  const updates = tf.greater(tf.reshape(tf.slice(control, 1, 1), []), 0);
  const keepOrTake = (before: tf.Tensor, after: tf.Tensor) => tf.where(updates, after, before);
  return [keepOrTake(parameter, tf.sub(decayed, move)), keepOrTake(m, newM), keepOrTake(v, newV)];
}

function expectShape(name: string, shape: readonly number[], expected: readonly number[]): void {
  if (formatShape(shape) === formatShape(expected)) return;
  throw new BasicError(
    "E_SHAPE",
    `adamw: \`${name}\` must have shape ${formatShape(expected)}, got ${formatShape(shape)}.`,
  );
}

function adamwCases(): readonly KernelCase<AdamwInput, AdamwAttrs>[] {
  const usual: AdamwAttrs = {
    learningRate: 1e-3,
    beta1: 0.9,
    beta2: 0.999,
    epsilon: 1e-8,
    weightDecay: 0.01,
    step: 7,
  };
  const inputs = (shape: readonly number[], control: readonly [number, number], gradient?: InputSpec) => ({
    parameter: { shape },
    gradient: gradient ?? { shape },
    m: { shape, scale: 0.1 },
    // Second moments are squares.
    v: { shape, values: new Array<number>(shape.reduce((size, n) => size * n, 1)).fill(0.01) },
    control: { shape: [2], values: control },
  });
  const first = inputs([5, 3], [1, 1]);
  const zeros = new Array<number>(15).fill(0);
  return [
    { title: "odd shape", inputs: inputs([9, 41], [1, 1]), attrs: usual },
    {
      title: "clipped gradient, no decay",
      inputs: inputs([7], [0.125, 1]),
      attrs: { ...usual, weightDecay: 0 },
    },
    {
      title: "first step from zero moments",
      inputs: { ...first, m: { shape: [5, 3], values: zeros }, v: { shape: [5, 3], values: zeros } },
      attrs: { ...usual, step: 1 },
    },
    { title: "large step number", inputs: inputs([3, 2], [1, 1]), attrs: { ...usual, step: 100_000 } },
    { title: "a gradient of zero", inputs: inputs([4], [1, 1], { shape: [4], scale: 0 }), attrs: usual },
    { title: "no update", inputs: inputs([9, 7], [1, 0]), attrs: usual },
    {
      title: "no update with a gradient that is not finite",
      inputs: inputs([3], [0, 0], {
        shape: [3],
        values: [Number.NaN, Number.POSITIVE_INFINITY, Number.NEGATIVE_INFINITY],
      }),
      attrs: usual,
    },
    { title: "a scalar", inputs: inputs([], [1, 1]), attrs: usual },
  ];
}
