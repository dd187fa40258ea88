import * as tf from "@tensorflow/tfjs-core";

import { detach } from "../autodiff.js";
import { bindShapes } from "../shape.js";
import type { InputSpec, KernelCase, KernelContract } from "./contract.js";
import { runKernel } from "./run.js";

/** {@link direction} has no attributes. */
export type DirectionAttrs = Readonly<Record<never, never>>;

/** Attributes of {@link directionBackward}. Without `needsRefined` it returns `dv` alone. */
export type DirectionBackwardAttrs = { readonly needsRefined: boolean };

/** Inputs of the contract. */
export type DirectionInput = "v" | "r" | "a";

/** Lengths are clamped here; a row that is not longer counts as a zero row. */
const SHORTEST = 1e-12;

/**
 * `loss_j = a_j ‖ v_j / max(|v_j|, 1e-12) − r_j / max(|r_j|, 1e-12) ‖²`.
 *
 * N rows of width D: `v` and `r` `[N, D]`, `a` and `loss` `[N]`. A row whose length is at most 1e-12 is a zero row:
 * its loss is finite (`a_j` next to a unit row) and no gradient reaches it. `a` gets no gradient.
 * Source: BASIC (arXiv:2508.06895), equation 6.
 */
export const direction: KernelContract<DirectionInput, DirectionAttrs> = {
  name: "BasicDirection",
  inputs: ["v", "r", "a"],
  infer: ({ v, r, a }) => {
    bindShapes("direction", { v: ["ND", v], r: ["ND", r], a: ["N", a] });
    return [a];
  },
  reference: ({ v, r, a }) =>
    tf.tidy(() => [tf.mul(a, tf.sum(tf.square(tf.sub(unitRows(v), unitRows(r))), 1))]),
  save: { inputs: ["v", "r", "a"], outputs: [false] },
  gradient: ([dloss], { inputs }, _attrs, needs) => {
    const { v, r, a } = inputs as Record<DirectionInput, tf.Tensor>;
    const needsRefined = needs.has("r");
    const [dv, dr] = runKernel(
      directionBackward,
      { dloss: dloss as tf.Tensor, v, r, a },
      { needsRefined },
    ) as [tf.Tensor, tf.Tensor];
    return { v: dv, ...(needsRefined && { r: dr }) };
  },
  differentiable: ["v", "r"],
  cases: directionCases(),
  // A sum of D squares, a root, two quotients and a sum of D squared differences.
  tolerance: { absolute: 1e-6, relative: 2e-6 },
};

/**
 * With `u = v/|v|` and `û = r/|r|`: `dv_j = −2 dloss_j a_j (û_j − (u_j·û_j) u_j) / |v_j|`, and `dr_j` the same with v
 * and r exchanged. Rows of {@link direction} that count as zero get 0.
 *
 * `dloss`, `a` `[N]`; `v`, `r`, `dv`, `dr` `[N, D]`.
 */
export const directionBackward: KernelContract<"dloss" | DirectionInput, DirectionBackwardAttrs> = {
  name: "BasicDirectionBackward",
  inputs: ["dloss", "v", "r", "a"],
  infer: ({ dloss, v, r, a }, { needsRefined }) => {
    bindShapes("directionBackward", { dloss: ["N", dloss], v: ["ND", v], r: ["ND", r], a: ["N", a] });
    return needsRefined ? [v, r] : [v];
  },
  reference: ({ dloss, v, r, a }, { needsRefined }) =>
    tf.tidy(() => {
      const factor = tf.reshape(tf.mul(tf.mul(dloss, a), -2), [-1, 1]);
      return (
        needsRefined
          ? [
              [v, r],
              [r, v],
            ]
          : [[v, r]]
      ).map(([x, other]) => rowGradient(x as tf.Tensor, other as tf.Tensor, factor));
    }),
  save: { inputs: [], outputs: [false, false] },
  gradient: null,
  differentiable: [],
  cases: directionCases().flatMap(({ title, inputs }) =>
    [false, true].map((needsRefined) => ({
      title: needsRefined ? `${title}, with the refined rows' gradient` : title,
      inputs: { dloss: { shape: inputs.a.shape }, ...inputs },
      attrs: { needsRefined },
    })),
  ),
  // û − (u·û) u cancels where the rows agree: a few roundings of 1 / |v|.
  tolerance: { absolute: 1e-6, relative: 4e-6 },
};

/** Clamped lengths `[N, 1]`, and 1 where the row is longer than that, else 0. */
function lengths(x: tf.Tensor): { length: tf.Tensor; long: tf.Tensor } {
  const squared = tf.sum(tf.square(x), 1, true);
  const long = tf.cast(tf.greater(detach(squared), SHORTEST ** 2), "float32");
  return { length: tf.sqrt(tf.maximum(squared, SHORTEST ** 2)), long };
}

/** Rows divided by their lengths; zero rows are constants for the gradient. */
function unitRows(x: tf.Tensor): tf.Tensor {
  const { length, long } = lengths(x);
  const differentiable = tf.add(tf.mul(x, long), tf.mul(detach(x), tf.sub(1, long)));
  return tf.div(differentiable, length);
}

/** `factor (other' − (x'·other') x') / |x|`, primes for unit rows; 0 where x is a zero row. */
function rowGradient(x: tf.Tensor, other: tf.Tensor, factor: tf.Tensor): tf.Tensor {
  const { length, long } = lengths(x);
  const unit = tf.div(x, length);
  const target = unitRows(other);
  const cosine = tf.sum(tf.mul(unit, target), 1, true);
  const turned = tf.sub(target, tf.mul(cosine, unit));
  return tf.mul(tf.mul(tf.div(turned, length), factor), long);
}

function directionCases(): readonly KernelCase<DirectionInput, DirectionAttrs>[] {
  const specs: readonly (readonly [title: string, v: InputSpec, r: InputSpec])[] = [
    ["odd shape", { shape: [9, 41] }, { shape: [9, 41] }],
    ["one row", { shape: [1, 7] }, { shape: [1, 7] }],
    ["one column", { shape: [3, 1] }, { shape: [3, 1] }],
    ["wide", { shape: [3, 513] }, { shape: [3, 513], scale: 20 }],
    ["large magnitudes", { shape: [5, 9], scale: 1e3 }, { shape: [5, 9], scale: 1e3 }],
    ["short rows", { shape: [5, 9], scale: 1e-3 }, { shape: [5, 9], scale: 1e-3 }],
    [
      "a zero row, a zero target and both",
      { shape: [4, 2], values: [0, 0, 3, 4, 0, 0, 1, -2] },
      { shape: [4, 2], values: [1, 2, 0, 0, 0, 0, 2, 1] },
    ],
    [
      "rows and targets shorter than the clamp",
      { shape: [4, 2], values: [1e-13, 0, 3, 4, -2e-13, 1e-13, 2, -1] },
      { shape: [4, 2], values: [1, 2, 1e-13, 0, 3e-13, 1e-13, 0, 5e-13] },
    ],
    [
      "the same and the opposite way",
      { shape: [2, 3], values: [1, 2, 2, 1, 2, 2] },
      { shape: [2, 3], values: [2, 4, 4, -2, -4, -4] },
    ],
    ["no rows", { shape: [0, 7] }, { shape: [0, 7] }],
  ];
  return specs.map(([title, v, r]) => ({
    title,
    inputs: { v, r, a: { shape: v.shape.slice(0, 1) } },
    attrs: {},
  }));
}
