import * as tf from "@tensorflow/tfjs-core";

import { bindShapes } from "../shape.js";
import {
  activate,
  activationSlope,
  checkActivation,
  type FusedActivation,
  fusedActivations,
} from "./activation.js";
import type { KernelCase, KernelContract } from "./contract.js";
import { runKernel } from "./run.js";

/** Attributes of {@link gatedActivation} and {@link gatedActivationBackward}. */
export type GatedActivationAttrs = { readonly kind: FusedActivation };

const gatedCases: readonly KernelCase<"gate" | "up", GatedActivationAttrs>[] = [
  ...fusedActivations.map((kind) => ({
    title: `${kind}, odd shape`,
    inputs: { gate: { shape: [9, 41], scale: 2 }, up: { shape: [9, 41] } },
    attrs: { kind },
  })),
  {
    title: "one row",
    inputs: { gate: { shape: [1, 7] }, up: { shape: [1, 7] } },
    attrs: { kind: "silu" },
  },
  {
    title: "edge values",
    inputs: {
      gate: { shape: [2, 4], values: [0, 1e-12, -1e-12, 1e3, -1e3, 12, -12, 1] },
      up: { shape: [2, 4], values: [1, 1e3, 1, 2, 3, -1, 1e3, 0] },
    },
    attrs: { kind: "silu" },
  },
];

/**
 * `y = act(gate) · up`, the middle of a gated MLP. All are `[R, F]`.
 *
 * Source: GLU variants, arXiv:2002.05202.
 */
export const gatedActivation: KernelContract<"gate" | "up", GatedActivationAttrs> = {
  name: "BasicGatedActivation",
  inputs: ["gate", "up"],
  infer: ({ gate, up }, { kind }) => {
    bindShapes("gatedActivation", { gate: ["RF", gate], up: ["RF", up] });
    checkActivation("gatedActivation", kind, fusedActivations);
    return [gate];
  },
  reference: ({ gate, up }, { kind }) => [tf.tidy(() => tf.mul(activate(gate, kind), up))],
  save: { inputs: ["gate", "up"], outputs: [false] },
  gradient: ([dy], { inputs }, attrs) => {
    const { gate, up } = inputs as Record<"gate" | "up", tf.Tensor>;
    const [dgate, dup] = runKernel(gatedActivationBackward, { dy: dy as tf.Tensor, gate, up }, attrs);
    return { gate: dgate as tf.Tensor, up: dup as tf.Tensor };
  },
  differentiable: ["gate", "up"],
  cases: gatedCases,
  // As for the activation alone, plus one product.
  tolerance: { absolute: 1e-6, relative: 1e-6 },
};

/** `dgate = dy · up · act'(gate)` and `dup = dy · act(gate)`. All are `[R, F]`. */
export const gatedActivationBackward: KernelContract<"dy" | "gate" | "up", GatedActivationAttrs> = {
  name: "BasicGatedActivationBackward",
  inputs: ["dy", "gate", "up"],
  infer: ({ dy, gate, up }, { kind }) => {
    bindShapes("gatedActivationBackward", { dy: ["RF", dy], gate: ["RF", gate], up: ["RF", up] });
    checkActivation("gatedActivationBackward", kind, fusedActivations);
    return [gate, up];
  },
  reference: ({ dy, gate, up }, { kind }) =>
    tf.tidy(() => [tf.mul(tf.mul(dy, up), activationSlope(gate, kind)), tf.mul(dy, activate(gate, kind))]),
  save: { inputs: [], outputs: [false, false] },
  gradient: null,
  differentiable: [],
  cases: gatedCases.map(({ title, inputs, attrs }) => ({
    title,
    inputs: { dy: { shape: inputs.gate.shape }, ...inputs },
    attrs,
  })),
  tolerance: { absolute: 2e-6, relative: 2e-6 },
};
