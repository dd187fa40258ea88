import * as tf from "@tensorflow/tfjs-core";

import { BasicError } from "../errors.js";
import { formatShape } from "../shape.js";
import type { InputSpec, KernelContract } from "./contract.js";

/** {@link accumulate} has no attributes. */
export type AccumulateAttrs = Readonly<Record<never, never>>;

/**
 * `sum + term`, of one shape: gradients of a tensor that is used more than once.
 *
 * An update contract: never differentiated. A backend may write into `sum` and return its buffer where nothing else
 * holds it: a second table of gradients is then not needed.
 */
export const accumulate: KernelContract<"sum" | "term", AccumulateAttrs> = {
  name: "BasicAccumulate",
  inputs: ["sum", "term"],
  infer: ({ sum, term }) => {
    if (sum.length !== term.length || sum.some((size, axis) => size !== term[axis])) {
      throw new BasicError(
        "E_SHAPE",
        `accumulate: \`sum\` and \`term\` must have one shape, got ${formatShape(sum)} and ${formatShape(term)}.`,
      );
    }
    return [sum];
  },
  reference: ({ sum, term }) => [tf.add(sum, term)],
  save: { inputs: [], outputs: [false] },
  gradient: null,
  differentiable: [],
  cases: [
    two("matrices", { shape: [9, 41] }),
    two("vectors longer than a task", { shape: [16_400] }),
    two("scalars", { shape: [] }),
    two("four dimensions", { shape: [3, 2, 5, 1] }),
    two("large and tiny values", { shape: [4], values: [1e6, -1e6, 1e-12, 3] }),
    two("no elements", { shape: [0, 7] }),
  ],
  // One rounding.
  tolerance: { absolute: 0, relative: 6e-8 },
};

function two(title: string, sum: InputSpec) {
  return { title, inputs: { sum, term: { shape: sum.shape, scale: 0.5 } }, attrs: {} };
}
