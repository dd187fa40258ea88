import * as tf from "@tensorflow/tfjs-core";

import type { InputSpec, KernelContract } from "./contract.js";

/** {@link squaredNorm} has no attributes. */
export type SquaredNormAttrs = Readonly<Record<never, never>>;

/** Inputs of {@link squaredNorm}. */
export type SquaredNormInput = `x${number}`;

/**
 * `Σ x²` over all tensors `x0`, `x1`, ... of any shapes, as a scalar `[]`: the sum of each tensor, added in their order.
 * An update contract: it is never differentiated.
 */
export const squaredNorm: KernelContract<SquaredNormInput, SquaredNormAttrs> = {
  name: "BasicSquaredNorm",
  inputs: ["x0", "x1", "x2"],
  infer: () => [[]],
  reference: (inputs) => [
    tf.tidy(() =>
      Object.values<tf.Tensor>(inputs)
        .map((x) => tf.sum(tf.square(x)) as tf.Tensor)
        .reduce((total, sum) => tf.add(total, sum)),
    ),
  ],
  save: { inputs: [], outputs: [false] },
  gradient: null,
  differentiable: [],
  cases: [
    three("a matrix", { shape: [9, 41] }, 1),
    three("a vector longer than a tile", { shape: [4097] }, 1),
    { title: "a scalar", inputs: { x0: { shape: [], values: [-3] }, x1: empty(), x2: empty() }, attrs: {} },
    three("large magnitudes", { shape: [7, 3], scale: 1e6 }, 1e6),
    three("tiny magnitudes", { shape: [7, 3], scale: 1e-9 }, 1e-9),
    three("four dimensions", { shape: [3, 2, 5, 1] }, 1),
  ],
  // Positive terms: a plain sum of n of them loses at most about √n roundings of 6e-8.
  tolerance: { absolute: 0, relative: 4e-6 },
};

function three(title: string, x0: InputSpec, scale: number) {
  return { title, inputs: { x0, x1: { shape: [13], scale }, x2: empty() }, attrs: {} };
}

function empty(): InputSpec {
  return { shape: [0, 3] };
}
