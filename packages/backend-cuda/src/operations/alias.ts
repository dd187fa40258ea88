import * as tf from "@tensorflow/tfjs-core";

import { type Operations, operation } from "./operation.js";

/** Operations whose result is the same memory under another shape. They take texts, too. */
export const aliases: Operations = {
  Identity: operation<"x">(({ inputs: { x }, backend }) => backend.alias(x)),
  Reshape: operation<"x", { shape: number[] }>(({ inputs: { x }, attrs, backend }) => {
    return backend.alias(x, tf.util.inferFromImplicitShape(attrs.shape, tf.util.sizeFromShape(x.shape)));
  }),
  ExpandDims: operation<"input", { dim: number }>(({ inputs: { input }, attrs: { dim }, backend }) => {
    const axis = dim < 0 ? dim + input.shape.length + 1 : dim;
    return backend.alias(input, input.shape.toSpliced(axis, 0, 1));
  }),
};
