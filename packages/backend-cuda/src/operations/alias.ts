import { BasicError, formatShape } from "@basic-mllm/core";
import * as tf from "@tensorflow/tfjs-core";

import { type Operations, operation } from "./operation.js";
import { sizeOf } from "./shapes.js";

/** Operations whose result is the same memory under another shape. They take texts, too. */
export const aliases: Operations = {
  Identity: operation<"x">(({ inputs: { x }, backend }) => backend.alias(x)),
  Reshape: operation<"x", { shape: number[] }>(({ name, inputs: { x }, attrs, backend }) => {
    const shape = tf.util.inferFromImplicitShape(attrs.shape, sizeOf(x.shape));
    if (sizeOf(shape) !== sizeOf(x.shape)) throw sizesDiffer(name, x.shape, shape);
    return backend.alias(x, shape);
  }),
  ExpandDims: operation<"input", { dim: number }>(({ inputs: { input }, attrs: { dim }, backend }) => {
    const axis = dim < 0 ? dim + input.shape.length + 1 : dim;
    return backend.alias(input, input.shape.toSpliced(axis, 0, 1));
  }),
};

/** tfjs lets a tensor without elements pass as one of any shape. */
function sizesDiffer(name: string, from: readonly number[], to: readonly number[]): BasicError {
  return new BasicError(
    "E_SHAPE",
    `${name}: a tensor of shape ${formatShape(from)} has ${sizeOf(from)} elements, but ${formatShape(to)} has ${sizeOf(to)}. ` +
      "Give a shape with as many.",
  );
}
