import * as tf from "@tensorflow/tfjs-core";

import { BasicError } from "../errors.js";
import { bindShapes } from "../shape.js";
import type { KernelCase, KernelContract } from "./contract.js";
import { runKernel } from "./run.js";

/** Every activation by name. `gelu-erf` is the exact GELU, `gelu-tanh` its tanh form, `quick-gelu` x·σ(1.702x). */
export const activationKinds = ["none", "gelu-erf", "gelu-tanh", "quick-gelu", "silu", "relu"] as const;

/** A name of {@link activationKinds}. */
export type ActivationKind = (typeof activationKinds)[number];

/** What linear and gated layers fuse: every activation but `relu`. */
export type FusedActivation = Exclude<ActivationKind, "relu">;

/** The names of {@link FusedActivation}. */
export const fusedActivations: readonly FusedActivation[] = [
  "none",
  "gelu-erf",
  "gelu-tanh",
  "quick-gelu",
  "silu",
];

/** Attributes of {@link activation} and {@link activationBackward}. */
export type ActivationAttrs = { readonly kind: ActivationKind };

const QUICK = 1.702;
const TANH_CUBIC = 0.044715;
const TANH_SCALE = Math.sqrt(2 / Math.PI);

const values: Readonly<Record<ActivationKind, (x: tf.Tensor) => tf.Tensor>> = {
  none: (x) => tf.clone(x),
  "gelu-erf": (x) => tf.mul(x, normalCdf(x)),
  "gelu-tanh": (x) => tf.mul(x, tf.mul(tf.add(tf.tanh(tanhArgument(x)), 1), 0.5)),
  "quick-gelu": (x) => tf.mul(x, tf.sigmoid(tf.mul(x, QUICK))),
  silu: (x) => tf.mul(x, tf.sigmoid(x)),
  relu: (x) => tf.relu(x),
};

const slopes: Readonly<Record<ActivationKind, (x: tf.Tensor) => tf.Tensor>> = {
  none: (x) => tf.onesLike(x),
  "gelu-erf": (x) => tf.add(normalCdf(x), tf.mul(x, normalDensity(x))),
  "gelu-tanh": tanhSlope,
  "quick-gelu": (x) => sigmoidSlope(x, QUICK),
  silu: (x) => sigmoidSlope(x, 1),
  relu: (x) => tf.cast(tf.greater(x, 0), "float32"),
};

/** `act(x)` out of stock ops, any shape. */
export function activate(x: tf.Tensor, kind: ActivationKind): tf.Tensor {
  return tf.tidy(() => values[kind](x));
}

/** `act'(x)` out of stock ops, any shape. At 0 the slope of relu is 0. */
export function activationSlope(x: tf.Tensor, kind: ActivationKind): tf.Tensor {
  return tf.tidy(() => slopes[kind](x));
}

/** @throws {@link BasicError} `E_NAME_UNKNOWN` for a name that is not among `allowed`. */
export function checkActivation(where: string, kind: string, allowed: readonly string[]): void {
  if (allowed.includes(kind)) return;
  throw new BasicError(
    "E_NAME_UNKNOWN",
    `${where}: there is no activation "${kind}". Use one of: ${allowed.join(", ")}.`,
  );
}

/** Standard normal distribution function. */
function normalCdf(x: tf.Tensor): tf.Tensor {
  return tf.mul(tf.add(tf.erf(tf.mul(x, Math.SQRT1_2)), 1), 0.5);
}

function normalDensity(x: tf.Tensor): tf.Tensor {
  return tf.mul(tf.exp(tf.mul(tf.square(x), -0.5)), 1 / Math.sqrt(2 * Math.PI));
}

function tanhArgument(x: tf.Tensor): tf.Tensor {
  return tf.mul(tf.add(x, tf.mul(tf.mul(tf.square(x), x), TANH_CUBIC)), TANH_SCALE);
}

/** `(1 + t) / 2 + x (1 − t²) u' / 2`, with `t = tanh(u)`. */
function tanhSlope(x: tf.Tensor): tf.Tensor {
  const t = tf.tanh(tanhArgument(x));
  const inner = tf.mul(tf.add(tf.mul(tf.square(x), 3 * TANH_CUBIC), 1), TANH_SCALE);
  const tail = tf.mul(tf.mul(x, tf.sub(1, tf.square(t))), inner);
  return tf.mul(tf.add(tf.add(t, 1), tail), 0.5);
}

/** `s + c x s (1 − s)`, with `s = σ(c x)`. */
function sigmoidSlope(x: tf.Tensor, c: number): tf.Tensor {
  const s = tf.sigmoid(tf.mul(x, c));
  return tf.add(s, tf.mul(tf.mul(tf.mul(x, c), s), tf.sub(1, s)));
}

const EDGES = [0, -0, 1e-12, -1e-12, 1e3, -1e3, 1, -1, 0.5, -0.5, 3, -3, 6, -6, 12, -12];

const forwardCases: readonly KernelCase<"x", ActivationAttrs>[] = activationKinds.flatMap((kind) => [
  { title: `${kind}, odd shape`, inputs: { x: { shape: [9, 41], scale: 2 } }, attrs: { kind } },
  { title: `${kind}, edge values`, inputs: { x: { shape: [2, 8], values: EDGES } }, attrs: { kind } },
]);

/**
 * `y = act(x)`, element by element. `x` and `y` are `[R, F]`.
 *
 * Sources: GELU arXiv:1606.08415, SiLU arXiv:1702.03118.
 */
export const activation: KernelContract<"x", ActivationAttrs> = {
  name: "BasicActivation",
  inputs: ["x"],
  infer: ({ x }, { kind }) => {
    bindShapes("activation", { x: ["RF", x] });
    checkActivation("activation", kind, activationKinds);
    return [x];
  },
  reference: ({ x }, { kind }) => [activate(x, kind)],
  save: { inputs: ["x"], outputs: [false] },
  gradient: ([dy], { inputs }, attrs) => {
    const { x } = inputs as { x: tf.Tensor };
    const [dx] = runKernel(activationBackward, { dy: dy as tf.Tensor, x }, attrs);
    return { x: dx as tf.Tensor };
  },
  differentiable: ["x"],
  cases: forwardCases,
  // The stock erf is good to 1.5e-7; float32 exp and tanh add a few roundings of 6e-8.
  tolerance: { absolute: 1e-6, relative: 1e-6 },
};

/** `dx = dy · act'(x)`. `dy`, `x` and `dx` are `[R, F]`. */
export const activationBackward: KernelContract<"dy" | "x", ActivationAttrs> = {
  name: "BasicActivationBackward",
  inputs: ["dy", "x"],
  infer: ({ dy, x }, { kind }) => {
    bindShapes("activationBackward", { dy: ["RF", dy], x: ["RF", x] });
    checkActivation("activationBackward", kind, activationKinds);
    return [x];
  },
  reference: ({ dy, x }, { kind }) => [tf.tidy(() => tf.mul(dy, activationSlope(x, kind)))],
  save: { inputs: [], outputs: [false] },
  gradient: null,
  differentiable: [],
  cases: forwardCases.map(({ title, inputs, attrs }) => ({
    title,
    inputs: { dy: { shape: inputs.x.shape }, x: inputs.x },
    attrs,
  })),
  tolerance: { absolute: 2e-6, relative: 2e-6 },
};
