import * as tf from "@tensorflow/tfjs-core";

import { BasicError } from "../errors.js";
import { formatShape } from "../shape.js";
import { seededValues } from "./case-values.js";
import type { InputSpec, KernelCase, KernelContract } from "./contract.js";
import { type MomentStorage, momentShape, packMoment, unpackMoment } from "./moments.js";

const notFinite: InputSpec = {
  shape: [3],
  values: [Number.NaN, Number.POSITIVE_INFINITY, Number.NEGATIVE_INFINITY],
};

/** Attributes of {@link adamw}: PyTorch's names; `step` counts from 1. One learning rate and weight decay a tensor. */
export type AdamwAttrs = {
  readonly learningRates: Float64Array;
  readonly weightDecays: Float64Array;
  readonly beta1: number;
  readonly beta2: number;
  readonly epsilon: number;
  readonly step: number;
  /** How `m` and `v` are stored. */
  readonly moments: MomentStorage;
};

/** Inputs of the contract: four a tensor, and `control`. */
export type AdamwInput = `${"parameter" | "gradient" | "m" | "v"}${number}` | "control";

/**
 * One step of AdamW for any number of tensors. With `g = gradient · control[0]`, for each:
 *
 * ```text
 * m' = β₁ m + (1 − β₁) g        v' = β₂ v + (1 − β₂) g²
 * p' = p (1 − lr wd) − lr (m' / (1 − β₁ᵗ)) / (√(v' / (1 − β₂ᵗ)) + ε)
 * ```
 *
 * Tensor i is `parameter<i>`, `gradient<i>`, `m<i>`, `v<i>`; outputs are `parameter'`, `m'`, `v'` of each in turn. Its
 * parameter and gradient have one shape, and its moments too where they are float32: else they are int32 words, which
 * {@link packMoment} describes, and p' is made of m' and v' before they are packed. `control` `[2]` holds the gradient's
 * scale and whether to update: with 0 there, everything comes back unchanged, whatever the gradient holds.
 * An update contract: never differentiated. A backend may write in place and return the same buffers.
 * The reference packs on the host, so it needs a backend with `dataSync` for packed moments.
 * Source: arXiv:1711.05101, with PyTorch's order of operations; block-wise moments: arXiv:2110.02861.
 */
export const adamw: KernelContract<AdamwInput, AdamwAttrs> = {
  name: "BasicAdamw",
  inputs: [...[0, 1, 2].flatMap(namesOf), "control"],
  infer: (shapes, { learningRates, weightDecays, moments }) => {
    expectShape("control", shapes.control, [2]);
    expectShape("weightDecays", [weightDecays.length], [learningRates.length]);
    return Array.from(learningRates, (_, i) => {
      const [parameter, gradient, m, v] = namesOf(i).map((name) => shapes[name]);
      if (parameter === undefined) expectShape(`parameter${i}`, parameter, []);
      const shape = parameter ?? [];
      const moment = momentShape(moments, shape);
      expectShape(`gradient${i}`, gradient, shape);
      expectShape(`m${i}`, m, moment);
      expectShape(`v${i}`, v, moment);
      return [shape, moment, moment];
    }).flat();
  },
  reference: (inputs, attrs) =>
    tf.tidy(() => Array.from(attrs.learningRates, (_, i) => update(inputs, i, attrs)).flat()),
  save: { inputs: [], outputs: [] },
  gradient: null,
  differentiable: [],
  cases: adamwCases(),
  // A dozen roundings of 6e-8 and a root.
  tolerance: { absolute: 1e-7, relative: 1e-6 },
};

function namesOf(i: number): readonly AdamwInput[] {
  return [`parameter${i}`, `gradient${i}`, `m${i}`, `v${i}`];
}

function update(
  inputs: Readonly<Record<AdamwInput, tf.Tensor>>,
  i: number,
  { learningRates, weightDecays, beta1, beta2, epsilon, step, moments }: AdamwAttrs,
): tf.Tensor[] {
  const [parameter, gradient, storedM, storedV] = namesOf(i).map((name) => inputs[name]) as [
    tf.Tensor,
    tf.Tensor,
    tf.Tensor,
    tf.Tensor,
  ];
  const [learningRate, weightDecay] = [learningRates[i] as number, weightDecays[i] as number];
  const m = decode(storedM, parameter.shape, moments, false);
  const v = decode(storedV, parameter.shape, moments, true);
  const g = tf.mul(gradient, tf.reshape(tf.slice(inputs.control, 0, 1), []));
  const newM = tf.add(tf.mul(m, beta1), tf.mul(g, 1 - beta1));
  const newV = tf.add(tf.mul(v, beta2), tf.mul(tf.square(g), 1 - beta2));
  const root = tf.add(tf.sqrt(tf.div(newV, 1 - beta2 ** step)), epsilon);
  const move = tf.mul(tf.div(tf.div(newM, 1 - beta1 ** step), root), learningRate);
  const decayed = tf.mul(parameter, 1 - learningRate * weightDecay);
  const updates = tf.greater(tf.reshape(tf.slice(inputs.control, 1, 1), []), 0);
  const keepOrTake = (before: tf.Tensor, after: tf.Tensor) => tf.where(updates, after, before);
  return [
    keepOrTake(parameter, tf.sub(decayed, move)),
    encode(storedM, keepOrTake(m, newM), { moments, second: false, step, updates }),
    encode(storedV, keepOrTake(v, newV), { moments, second: true, step, updates }),
  ];
}

function decode(
  stored: tf.Tensor,
  shape: readonly number[],
  storage: MomentStorage,
  second: boolean,
): tf.Tensor {
  if (storage === "float32") return stored;
  const count = shape.reduce((size, n) => size * n, 1);
  return tf.tensor(
    unpackMoment({ storage, second }, stored.dataSync<"int32">(), count),
    [...shape],
    "float32",
  );
}

function encode(
  before: tf.Tensor,
  after: tf.Tensor,
  call: { moments: MomentStorage; second: boolean; step: number; updates: tf.Tensor },
): tf.Tensor {
  const { moments: storage, second, step, updates } = call;
  if (storage === "float32") return after;
  if (updates.dataSync()[0] === 0) return tf.clone(before);
  return tf.tensor1d(packMoment({ storage, second }, after.dataSync(), step), "int32");
}

function expectShape(name: string, shape: readonly number[] | undefined, expected: readonly number[]): void {
  if (shape !== undefined && formatShape(shape) === formatShape(expected)) return;
  throw new BasicError(
    "E_SHAPE",
    `adamw: \`${name}\` must have shape ${formatShape(expected)}, got ${shape === undefined ? "none" : formatShape(shape)}.`,
  );
}

/** Cases of three tensors: the shape under test, one of several blocks of moments, and one that is empty. */
function adamwCases(): readonly KernelCase<AdamwInput, AdamwAttrs>[] {
  const usual: AdamwAttrs = {
    learningRates: Float64Array.of(1e-3, 3e-2, 1e-3),
    weightDecays: Float64Array.of(0.01, 0.1, 0),
    beta1: 0.9,
    beta2: 0.999,
    epsilon: 1e-8,
    step: 7,
    moments: "float32",
  };
  const packed = (["bfloat16", "int8"] as const).flatMap((moments) => [
    {
      title: `${moments} moments`,
      inputs: inputs([9, 41], [0.5, 1], { moments }),
      attrs: { ...usual, moments },
    },
    {
      title: `${moments} moments, first step from zero`,
      inputs: inputs([7], [1, 1], { moments, scale: 0 }),
      attrs: { ...usual, moments, step: 1 },
    },
    {
      title: `${moments} moments, no update`,
      inputs: inputs([3], [0, 0], { moments, gradient: notFinite }),
      attrs: { ...usual, moments },
    },
  ]);
  return [
    { title: "odd shape", inputs: inputs([9, 41], [1, 1]), attrs: usual },
    {
      title: "clipped gradient, no decay",
      inputs: inputs([7], [0.125, 1]),
      attrs: { ...usual, weightDecays: new Float64Array(3) },
    },
    {
      title: "first step from zero moments",
      inputs: inputs([5, 3], [1, 1], { scale: 0 }),
      attrs: { ...usual, step: 1 },
    },
    { title: "large step number", inputs: inputs([3, 2], [1, 1]), attrs: { ...usual, step: 100_000 } },
    {
      title: "a gradient of zero",
      inputs: inputs([4], [1, 1], { gradient: { shape: [4], scale: 0 } }),
      attrs: usual,
    },
    { title: "no update", inputs: inputs([9, 7], [1, 0]), attrs: usual },
    {
      title: "no update with a gradient that is not finite",
      inputs: inputs([3], [0, 0], { gradient: notFinite }),
      attrs: usual,
    },
    { title: "a scalar", inputs: inputs([], [1, 1]), attrs: usual },
    ...packed,
  ];
}

function inputs(
  shape: readonly number[],
  control: readonly [number, number],
  options: { moments?: MomentStorage; gradient?: InputSpec; scale?: number } = {},
): Readonly<Record<AdamwInput, InputSpec>> {
  const { moments = "float32", gradient = { shape }, scale = 0.1 } = options;
  const tensors = [shape, [3, 257], [0, 4]].map((own, i) => [
    [`parameter${i}`, { shape: own }],
    [`gradient${i}`, i === 0 ? gradient : { shape: own }],
    [`m${i}`, momentSpec(own, moments, { scale, second: false })],
    [`v${i}`, momentSpec(own, moments, { scale, second: true })],
  ]);
  return Object.fromEntries([...tensors.flat(), ["control", { shape: [2], values: control }]]);
}

/** Second moments are squares. */
function momentSpec(
  shape: readonly number[],
  storage: MomentStorage,
  { scale, second }: { scale: number; second: boolean },
): InputSpec {
  const drawn = seededValues(
    shape.reduce((size, n) => size * n, 1),
    second ? 2 : 1,
    scale,
  );
  const values = second ? drawn.map((value) => value * value) : drawn;
  if (storage === "float32") return { shape, values };
  const words = packMoment({ storage, second }, values, 6);
  return { shape: [words.length], values: Array.from(words), dtype: "int32" };
}
