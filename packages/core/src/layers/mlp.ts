import * as tf from "@tensorflow/tfjs-core";

import type { FusedActivation } from "../kernels/activation.js";
import { gatedActivation } from "../kernels/gated-activation.js";
import { runKernel } from "../kernels/run.js";
import type { Builder } from "./builder.js";
import { callTogether, Linear } from "./linear.js";

/** Activations of a gated feed-forward layer. */
export type GateActivation = "silu" | "gelu-tanh" | "gelu-erf";

/** Sizes of a feed-forward layer. */
export interface MlpShape<Activation> {
  readonly width: number;
  readonly inner: number;
  readonly bias: boolean;
  readonly activation: Activation;
}

/** `fc2(act(fc1(x)))`. Parameters `NAME.fc1.*`, `NAME.fc2.*`. */
export class Mlp {
  readonly #first: Linear;
  readonly #second: Linear;
  readonly #activation: FusedActivation;

  constructor(builder: Builder, name: string, shape: MlpShape<FusedActivation>) {
    const { width, inner, bias, activation } = shape;
    this.#first = new Linear(builder, `${name}.fc1`, { inFeatures: width, outFeatures: inner, bias });
    this.#second = new Linear(builder, `${name}.fc2`, {
      inFeatures: inner,
      outFeatures: width,
      bias,
      role: "residual",
    });
    this.#activation = activation;
  }

  /** @param x - `[R, D]`. @returns `[R, D]`. */
  call(x: tf.Tensor2D): tf.Tensor2D {
    return this.#second.call(this.#first.call(x, this.#activation));
  }
}

/** `down(act(gate(x)) · up(x))`. Parameters `NAME.{gate,up,down}_proj.weight`. */
export class GatedMlp {
  readonly #gate: Linear;
  readonly #up: Linear;
  readonly #down: Linear;
  readonly #kind: GateActivation;

  constructor(builder: Builder, name: string, shape: MlpShape<GateActivation>) {
    const { width, inner, bias, activation } = shape;
    const wide = { inFeatures: width, outFeatures: inner, bias };
    this.#gate = new Linear(builder, `${name}.gate_proj`, wide);
    this.#up = new Linear(builder, `${name}.up_proj`, wide);
    this.#down = new Linear(builder, `${name}.down_proj`, {
      inFeatures: inner,
      outFeatures: width,
      bias,
      role: "residual",
    });
    this.#kind = activation;
  }

  /** @param x - `[R, D]`. @returns `[R, D]`. */
  call(x: tf.Tensor2D): tf.Tensor2D {
    const [gate, up] = callTogether([this.#gate, this.#up], x) as [tf.Tensor2D, tf.Tensor2D];
    const [mixed] = runKernel(gatedActivation, { gate, up }, { kind: this.#kind });
    return this.#down.call(mixed as tf.Tensor2D);
  }
}

/** {@link GatedMlp} whose gate and up product are one matrix. Parameters `NAME.weights_in.*` `[2F, D]`, `NAME.weights_out.*`. */
export class FusedGatedMlp {
  readonly #in: Linear;
  readonly #out: Linear;
  readonly #kind: GateActivation;

  constructor(builder: Builder, name: string, shape: MlpShape<GateActivation>) {
    const { width, inner, bias, activation } = shape;
    this.#in = new Linear(builder, `${name}.weights_in`, { inFeatures: width, outFeatures: 2 * inner, bias });
    this.#out = new Linear(builder, `${name}.weights_out`, {
      inFeatures: inner,
      outFeatures: width,
      bias,
      role: "residual",
    });
    this.#kind = activation;
  }

  /** @param x - `[R, D]`. @returns `[R, D]`. */
  call(x: tf.Tensor2D): tf.Tensor2D {
    const [gate, up] = tf.split(this.#in.call(x), 2, 1) as [tf.Tensor2D, tf.Tensor2D];
    const [mixed] = runKernel(gatedActivation, { gate, up }, { kind: this.#kind });
    return this.#out.call(mixed as tf.Tensor2D);
  }
}
