import * as tf from "@tensorflow/tfjs-core";

import type { KernelContract } from "./contract.js";

/** {@link squaredNorm} has no attributes. */
export type SquaredNormAttrs = Readonly<Record<never, never>>;

/** `Σ x²` as a scalar `[]`, for `x` of any shape. An update contract: it is never differentiated. */
export const squaredNorm: KernelContract<"x", SquaredNormAttrs> = {
  name: "BasicSquaredNorm",
  inputs: ["x"],
  infer: () => [[]],
  reference: ({ x }) => [tf.tidy(() => tf.sum(tf.square(x)))],
  save: { inputs: [], outputs: [false] },
  gradient: null,
  differentiable: [],
  cases: [
    { title: "a matrix", inputs: { x: { shape: [9, 41] } }, attrs: {} },
    { title: "a vector longer than a tile", inputs: { x: { shape: [4097] } }, attrs: {} },
    { title: "a scalar", inputs: { x: { shape: [], values: [-3] } }, attrs: {} },
    { title: "large magnitudes", inputs: { x: { shape: [7, 3], scale: 1e6 } }, attrs: {} },
    { title: "tiny magnitudes", inputs: { x: { shape: [7, 3], scale: 1e-9 } }, attrs: {} },
    { title: "four dimensions", inputs: { x: { shape: [3, 2, 5, 1] } }, attrs: {} },
  ],
  // Positive terms: a plain sum of n of them loses at most about √n roundings of 6e-8.
  tolerance: { absolute: 0, relative: 4e-6 },
};
