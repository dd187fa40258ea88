import * as tf from "@tensorflow/tfjs-core";

import { bindShapes } from "../shape.js";
import type { InputSpec, KernelCase, KernelContract } from "./contract.js";
import { hasKernel, runKernel } from "./run.js";

/** {@link linearPair}, {@link linearTriple} and {@link linearBackward} have no attributes. */
export type LinearGroupAttrs = Readonly<Record<never, never>>;

/** Inputs of {@link linearPair} and {@link linearTriple}. */
export type LinearGroupInput = "x" | `weight${number}`;

/** Inputs of {@link linearBackward}. */
export type LinearBackwardInput = "x" | `dy${number}` | `weight${number}`;

/** Odd numbers of outputs, as many as there are weights. */
const OUTPUTS = [41, 9, 7];

const SHAPES: readonly (readonly [title: string, x: InputSpec, scale: number])[] = [
  ["odd shape", { shape: [9, 7] }, 1],
  ["one row", { shape: [1, 41] }, 0.2],
  ["wider than a tile", { shape: [33, 129] }, 0.1],
  ["large magnitudes", { shape: [9, 41], scale: 1e3 }, 1e3],
  ["no rows", { shape: [0, 7] }, 1],
];

/**
 * Products of one input with two matrices, for a gated MLP: `y0 = x · W0ᵀ`, `y1 = x · W1ᵀ`.
 *
 * R rows, I features in, Oᵢ features out: `x` `[R, I]`, `weightI` `[Oᵢ, I]`, outputs `[R, Oᵢ]`.
 */
export const linearPair = linearGroup("Pair", 2);

/** As {@link linearPair} with three matrices: queries, keys and values of an attention. */
export const linearTriple = linearGroup("Triple", 3);

function linearGroup(
  name: "Pair" | "Triple",
  count: number,
): KernelContract<LinearGroupInput, LinearGroupAttrs> {
  const weights = Array.from({ length: count }, (_, i) => `weight${i}` as const);
  const inputs = ["x", ...weights] as const;
  return {
    name: `BasicLinear${name}`,
    inputs,
    infer: (shapes) =>
      weights.map((weight) => {
        const pair = { x: ["RI", shapes.x], [weight]: ["OI", at(shapes, weight)] } as const;
        const { R, O } = bindShapes(`linear${name}`, pair);
        return [R as number, O as number];
      }),
    reference: ({ x, ...rest }) => weights.map((weight) => tf.matMul(x, at(rest, weight), false, true)),
    save: { inputs, outputs: weights.map(() => false) },
    gradient: (dys, { inputs: saved }, _, needs) => {
      const products = weights.map((weight, i) => ({
        weight: saved[weight] as tf.Tensor,
        dy: dys[i] as tf.Tensor,
      }));
      const { dx, dWeights } = productGradients(saved.x as tf.Tensor, products, {
        x: needs.has("x"),
        weights: weights.map((weight) => needs.has(weight)),
      });
      const named = weights.flatMap((weight, i) =>
        dWeights[i] === undefined ? [] : [[weight, dWeights[i]]],
      );
      return { ...(dx !== undefined && { x: dx }), ...Object.fromEntries(named) };
    },
    differentiable: inputs,
    cases: SHAPES.map(([title, x, scale]) => ({
      title,
      inputs: { x, ...weightSpecs(x, count, scale) },
      attrs: {},
    })),
    // As for one product.
    tolerance: { absolute: 1e-6, relative: 2e-6 },
  };
}

/**
 * Gradients of products of one input, for any number of matrices: `dx = Σ dyᵢ · Wᵢ`, added from the last to the first, and
 * `dWᵢ = dyᵢᵀ · x`.
 *
 * Shapes of {@link linearPair}, `dyI` `[R, Oᵢ]`. Outputs: dx, then each dWᵢ.
 */
export const linearBackward: KernelContract<LinearBackwardInput, LinearGroupAttrs> = {
  name: "BasicLinearBackward",
  inputs: ["x", "dy0", "weight0", "dy1", "weight1"],
  infer: (shapes) => {
    const weights = weightNames(shapes);
    for (const [i, weight] of weights.entries()) {
      const dy = `dy${i}` as const;
      bindShapes("linearBackward", {
        x: ["RI", shapes.x],
        [dy]: ["RO", at(shapes, dy)],
        [weight]: ["OI", at(shapes, weight)],
      });
    }
    return [shapes.x, ...weights.map((weight) => at(shapes, weight))];
  },
  reference: (inputs) =>
    tf.tidy(() => {
      const weights = weightNames(inputs);
      const dys = weights.map((_, i) => at(inputs, `dy${i}`));
      const terms = weights.map((weight, i) => tf.matMul(dys[i] as tf.Tensor, at(inputs, weight)));
      const dx = terms.reduceRight((sum, term) => tf.add(sum, term));
      return [dx, ...dys.map((dy) => tf.matMul(dy, inputs.x, true, false))];
    }),
  save: { inputs: [], outputs: [false, false, false] },
  gradient: null,
  differentiable: [],
  cases: SHAPES.map(([title, x, scale]): KernelCase<LinearBackwardInput, LinearGroupAttrs> => {
    const rows = x.shape[0] as number;
    const dys = {
      dy0: { shape: [rows, OUTPUTS[0] as number] },
      dy1: { shape: [rows, OUTPUTS[1] as number] },
    };
    return { title, inputs: { x, ...dys, ...weightSpecs(x, 2, scale) }, attrs: {} };
  }),
  // Sums of Oᵢ and of R products.
  tolerance: { absolute: 1e-6, relative: 2e-6 },
};

/** A product of an input, and the gradient of its result. */
interface Product {
  readonly weight: tf.Tensor;
  readonly dy: tf.Tensor;
}

/** Gradients of products of `x`, where they are wanted: in one call where all are, and the backend has the kernel. */
export function productGradients(
  x: tf.Tensor,
  products: readonly Product[],
  wanted: { readonly x: boolean; readonly weights: readonly boolean[] },
): { readonly dx: tf.Tensor | undefined; readonly dWeights: readonly (tf.Tensor | undefined)[] } {
  if (wanted.x && wanted.weights.every(Boolean) && hasKernel(linearBackward)) {
    const named = products.flatMap(({ dy, weight }, i) => [
      [`dy${i}`, dy],
      [`weight${i}`, weight],
    ]);
    const [dx, ...dWeights] = runKernel(linearBackward, { x, ...Object.fromEntries(named) }, {});
    return { dx, dWeights };
  }
  const dWeights = products.map(({ dy }, i) =>
    wanted.weights[i] === true ? tf.matMul(dy, x, true, false) : undefined,
  );
  const sum = (): tf.Tensor =>
    tf.tidy(() =>
      products
        .map(({ dy, weight }) => tf.matMul(dy, weight))
        .reduceRight((total, term) => tf.add(total, term)),
    );
  return { dx: wanted.x ? sum() : undefined, dWeights };
}

function weightNames(inputs: Readonly<Record<string, unknown>>): readonly `weight${number}`[] {
  const count = Object.keys(inputs).filter((name) => name.startsWith("weight")).length;
  return Array.from({ length: count }, (_, i) => `weight${i}` as const);
}

function weightSpecs(x: InputSpec, count: number, scale: number): Record<`weight${number}`, InputSpec> {
  const width = x.shape[1] as number;
  const specs = OUTPUTS.slice(0, count).map((outputs, i) => [
    `weight${i}`,
    { shape: [outputs, width], scale },
  ]);
  return Object.fromEntries(specs);
}

/** An input whose presence its number tells. */
function at<Value>(inputs: Readonly<Record<string, Value>>, name: string): Value {
  return inputs[name] as Value;
}
