import * as tf from "@tensorflow/tfjs-core";

import { activation as activationKernel, type FusedActivation } from "../kernels/activation.js";
import { type FrozenLinearAttrs, frozenLinear, frozenLinearBias } from "../kernels/frozen-linear.js";
import { linear, linearBias } from "../kernels/linear.js";
import { linearPair, linearTriple } from "../kernels/linear-group.js";
import { hasKernel, runKernel } from "../kernels/run.js";
import type { Parameter } from "../parameters.js";
import type { Builder, Role } from "./builder.js";

/** What {@link applyLinear} multiplies by. */
export interface LinearWeights {
  /** `[O, I]`; packed words where `packed` says how. */
  readonly weight: tf.Tensor;
  /** `[O]`, or null. */
  readonly bias: tf.Tensor1D | null;
  /** Whether weight or bias need a gradient. */
  readonly trainable: boolean;
  /** How a packed weight is to be read. It never trains; a bias beside it may. */
  readonly packed?: FrozenLinearAttrs;
}

/**
 * `y = act(x · Wᵀ + b)`.
 *
 * Under a tape, frozen weights use the contract that does not save x; the activation then runs by itself.
 *
 * @param x - `[R, I]`.
 * @returns `[R, O]`.
 */
export function applyLinear(
  x: tf.Tensor2D,
  weights: LinearWeights,
  activation: FusedActivation = "none",
): tf.Tensor2D {
  const { weight, bias, trainable, packed } = weights;
  if (packed !== undefined) return applyActivation(applyPacked(x, weights, packed), activation);
  if (trainable || !isRecording()) {
    const [y] =
      bias === null
        ? runKernel(linear, { x, weight }, { activation })
        : runKernel(linearBias, { x, weight, bias }, { activation });
    return y as tf.Tensor2D;
  }
  const [outFeatures, inFeatures] = weight.shape as [number, number];
  const attrs = { storage: "f32", inFeatures, outFeatures } as const;
  const [y] =
    bias === null
      ? runKernel(frozenLinear, { x, weight }, attrs)
      : runKernel(frozenLinearBias, { x, weight, bias }, attrs);
  return applyActivation(y as tf.Tensor2D, activation);
}

/** The bias is added by itself where it trains. */
function applyPacked(
  x: tf.Tensor2D,
  { weight, bias, trainable }: LinearWeights,
  attrs: FrozenLinearAttrs,
): tf.Tensor2D {
  const [y] =
    bias === null || trainable
      ? runKernel(frozenLinear, { x, weight }, attrs)
      : runKernel(frozenLinearBias, { x, weight, bias }, attrs);
  return bias !== null && trainable ? tf.add<tf.Tensor2D>(y as tf.Tensor2D, bias) : (y as tf.Tensor2D);
}

/** Applies an activation to `[R, F]` by itself. */
export function applyActivation(x: tf.Tensor2D, kind: FusedActivation): tf.Tensor2D {
  if (kind === "none") return x;
  return runKernel(activationKernel, { x }, { kind })[0] as tf.Tensor2D;
}

function isRecording(): boolean {
  return tf.engine().state.gradientDepth > 0;
}

/** Sizes of a {@link Linear}. */
export interface LinearShape {
  readonly inFeatures: number;
  readonly outFeatures: number;
  readonly bias: boolean;
  /** Decides the first values of the weight. Default `weight`. */
  readonly role?: Role;
}

/** Something that is added to a product, and trains beside it. */
export interface LinearAdapter {
  readonly parameters: readonly Parameter[];
  /** What is added for `x` `[R, I]`: `[R, O]`, or null for nothing. */
  delta(x: tf.Tensor2D): tf.Tensor2D | null;
}

/** A matrix product with an optional bias. Parameters `NAME.weight` `[O, I]` and `NAME.bias` `[O]`. */
export class Linear {
  readonly weight: Parameter;
  readonly bias: Parameter | null;
  readonly inFeatures: number;
  readonly outFeatures: number;
  /** Added to the product, before the activation. */
  adapter: LinearAdapter | null = null;

  constructor(builder: Builder, name: string, shape: LinearShape) {
    const { inFeatures, outFeatures, bias, role = "weight" } = shape;
    this.weight = builder.addMatrix(`${name}.weight`, [outFeatures, inFeatures], role);
    this.bias = bias ? builder.add(`${name}.bias`, [outFeatures], "bias") : null;
    this.inFeatures = inFeatures;
    this.outFeatures = outFeatures;
    builder.linears.set(this.weight.name.replace(/\.weight$/, ""), this);
  }

  /** @param x - `[R, I]`. @returns `[R, O]`. */
  call(x: tf.Tensor2D, activation: FusedActivation = "none"): tf.Tensor2D {
    const delta = this.adapter?.delta(x) ?? null;
    if (delta === null) return this.#product(x, activation);
    return applyActivation(tf.add<tf.Tensor2D>(this.#product(x, "none"), delta), activation);
  }

  /** Whether it trains as a plain product: in float32, no bias, no adapter. */
  get isPlain(): boolean {
    const { weight, bias, adapter } = this;
    return weight.trainable && weight.storage === "f32" && bias === null && adapter === null;
  }

  #product(x: tf.Tensor2D, activation: FusedActivation): tf.Tensor2D {
    const { inFeatures, outFeatures } = this;
    const { storage } = this.weight;
    const weights = {
      weight: this.weight.value,
      bias: (this.bias?.value as tf.Tensor1D | undefined) ?? null,
      trainable: this.weight.trainable || this.bias?.trainable === true,
      ...(storage !== "f32" && { packed: { storage, inFeatures, outFeatures } }),
    };
    return applyLinear(x, weights, activation);
  }
}

/**
 * Several products of one input, in one kernel where all of them train as plain products and the backend has it.
 *
 * @param x - `[R, I]`.
 * @returns `[R, O]` of each.
 */
export function callTogether(linears: readonly Linear[], x: tf.Tensor2D): readonly tf.Tensor2D[] {
  const contract = { 2: linearPair, 3: linearTriple }[linears.length];
  const apart = contract === undefined || !isRecording() || !hasKernel(contract);
  if (apart || !linears.every(({ isPlain }) => isPlain)) {
    return linears.map((linear) => linear.call(x));
  }
  const weights = linears.map(({ weight }, i) => [`weight${i}`, weight.value]);
  return runKernel(contract, { x, ...Object.fromEntries(weights) }, {}) as readonly tf.Tensor2D[];
}
