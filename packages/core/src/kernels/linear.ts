import * as tf from "@tensorflow/tfjs-core";

import { bindShapes } from "../shape.js";
import {
  activate,
  activationBackward,
  checkActivation,
  type FusedActivation,
  fusedActivations,
} from "./activation.js";
import type { InputSpec, KernelCase, KernelContract } from "./contract.js";
import { productGradients } from "./linear-group.js";
import { runKernel } from "./run.js";

/** Attributes of {@link linear} and {@link linearBias}. */
export type LinearAttrs = { readonly activation: FusedActivation };

/** Inputs of the contract. */
export type LinearInput = "x" | "weight";

/** Edge sizes are tiny: big products live in the benchmarks. */
function shapeCases(): readonly (readonly [title: string, x: InputSpec, weight: InputSpec])[] {
  return [
    ["odd shape", { shape: [9, 7] }, { shape: [41, 7] }],
    ["one row", { shape: [1, 41] }, { shape: [9, 41], scale: 0.2 }],
    ["one column out", { shape: [7, 41] }, { shape: [1, 41], scale: 0.2 }],
    ["wider than a tile", { shape: [33, 129] }, { shape: [65, 129], scale: 0.1 }],
    ["large magnitudes", { shape: [9, 41], scale: 1e3 }, { shape: [7, 41], scale: 1e3 }],
    ["rows near zero", { shape: [9, 7], scale: 1e-12 }, { shape: [41, 7] }],
    ["no rows", { shape: [0, 7] }, { shape: [9, 7] }],
  ];
}

const linearCases: readonly KernelCase<LinearInput, LinearAttrs>[] = [
  ...shapeCases().map(([title, x, weight]) => ({
    title,
    inputs: { x, weight },
    attrs: { activation: "none" as const },
  })),
  ...fusedActivations.slice(1).map((activation) => ({
    title: activation,
    inputs: { x: { shape: [9, 41] }, weight: { shape: [7, 41], scale: 0.3 } },
    attrs: { activation },
  })),
];

/**
 * `y = act(x · Wᵀ)`.
 *
 * R rows, I features in, O features out: `x` `[R, I]`, `weight` `[O, I]`, `y` `[R, O]`.
 */
export const linear: KernelContract<LinearInput, LinearAttrs> = {
  name: "BasicLinear",
  inputs: ["x", "weight"],
  infer: ({ x, weight }, { activation }) => {
    const { R, O } = bindShapes("linear", { x: ["RI", x], weight: ["OI", weight] });
    checkActivation("linear", activation, fusedActivations);
    return [[R as number, O as number]];
  },
  reference: ({ x, weight }, { activation }) => [
    tf.tidy(() => activate(tf.matMul(x, weight, false, true), activation)),
  ],
  save: { inputs: ["x", "weight"], outputs: [false] },
  gradient: ([dy], { inputs }, { activation }, needs) => {
    const { x, weight } = inputs as Record<LinearInput, tf.Tensor>;
    const dz = beforeActivation(dy as tf.Tensor, activation, () =>
      runKernel(linear, { x, weight }, { activation: "none" }),
    );
    return gradientsOf(dz, { x, weight }, needs);
  },
  differentiable: ["x", "weight"],
  cases: linearCases,
  // A sum of I products in float32: about √I roundings of 6e-8 of the largest output.
  tolerance: { absolute: 1e-6, relative: 2e-6 },
};

/**
 * `y = act(x · Wᵀ + b)`.
 *
 * R rows, I features in, O features out: `x` `[R, I]`, `weight` `[O, I]`, `bias` `[O]`, `y` `[R, O]`.
 */
export const linearBias: KernelContract<LinearInput | "bias", LinearAttrs> = {
  name: "BasicLinearBias",
  inputs: ["x", "weight", "bias"],
  infer: ({ x, weight, bias }, { activation }) => {
    const { R, O } = bindShapes("linearBias", { x: ["RI", x], weight: ["OI", weight], bias: ["O", bias] });
    checkActivation("linearBias", activation, fusedActivations);
    return [[R as number, O as number]];
  },
  reference: ({ x, weight, bias }, { activation }) => [
    tf.tidy(() => activate(tf.add(tf.matMul(x, weight, false, true), bias), activation)),
  ],
  save: { inputs: ["x", "weight", "bias"], outputs: [false] },
  gradient: ([dy], { inputs }, { activation }, needs) => {
    const { x, weight, bias } = inputs as Record<LinearInput | "bias", tf.Tensor>;
    const dz = beforeActivation(dy as tf.Tensor, activation, () =>
      runKernel(linearBias, { x, weight, bias }, { activation: "none" }),
    );
    return {
      ...gradientsOf(dz, { x, weight }, needs),
      ...(needs.has("bias") && { bias: tf.sum(dz, 0) }),
    };
  },
  differentiable: ["x", "weight", "bias"],
  cases: linearCases.map(({ title, inputs, attrs }) => ({
    title,
    inputs: { ...inputs, bias: { shape: inputs.weight.shape.slice(0, 1) } },
    attrs,
  })),
  tolerance: { absolute: 1e-6, relative: 2e-6 },
};

/** Gradient of the pre-activation, which is computed again rather than saved. */
function beforeActivation(
  dy: tf.Tensor,
  kind: FusedActivation,
  preActivation: () => readonly tf.Tensor[],
): tf.Tensor {
  if (kind === "none") return dy;
  return tf.tidy(() => {
    const [z] = preActivation();
    return runKernel(activationBackward, { dy, x: z as tf.Tensor }, { kind })[0] as tf.Tensor;
  });
}

function gradientsOf(
  dz: tf.Tensor,
  { x, weight }: Record<LinearInput, tf.Tensor>,
  needs: ReadonlySet<string>,
): Partial<Record<LinearInput, tf.Tensor>> {
  const wanted = { x: needs.has("x"), weights: [needs.has("weight")] };
  const { dx, dWeights } = productGradients(x, [{ weight, dy: dz }], wanted);
  const [dWeight] = dWeights;
  return { ...(dx !== undefined && { x: dx }), ...(dWeight !== undefined && { weight: dWeight }) };
}
