import * as tf from "@tensorflow/tfjs-core";

import type { Builder } from "./builder.js";
import { PointwiseConv } from "./convolution.js";
import { meanPerImage, type PatchGrid, spreadOverPatches } from "./image-rows.js";

/** Sizes and functions of a {@link SqueezeExcitation}. */
export interface SqueezeExcitationOptions {
  readonly channels: number;
  /** Channels between the two products. */
  readonly squeezed: number;
  readonly activation: "relu" | "silu";
  readonly gate: "sigmoid" | "hard-sigmoid";
}

/** `clip(x / 6 + 1/2, 0, 1)` (arXiv:1905.02244). */
export function hardSigmoid<T extends tf.Tensor>(x: T): T {
  return tf.clipByValue(tf.add(tf.mul(x, 1 / 6), 0.5), 0, 1) as T;
}

/** `x · hardSigmoid(x)` (arXiv:1905.02244). */
export function hardSwish<T extends tf.Tensor>(x: T): T {
  return tf.mul(x, hardSigmoid(x));
}

/**
 * `x · gate(fc2(act(fc1(mean of the image's rows))))`: one factor per channel and image (arXiv:1709.01507). Parameters
 * `NAME.fc1.*` and `NAME.fc2.*`, 1×1 convolutions with bias.
 */
export class SqueezeExcitation {
  readonly #options: SqueezeExcitationOptions;
  readonly #first: PointwiseConv;
  readonly #second: PointwiseConv;

  constructor(builder: Builder, name: string, options: SqueezeExcitationOptions) {
    const { channels, squeezed } = options;
    this.#options = options;
    this.#first = new PointwiseConv(builder, `${name}.fc1`, {
      inChannels: channels,
      outChannels: squeezed,
      bias: true,
    });
    this.#second = new PointwiseConv(builder, `${name}.fc2`, {
      inChannels: squeezed,
      outChannels: channels,
      bias: true,
    });
  }

  /** @param x - `[N, C]`. @returns `[N, C]`. */
  call(x: tf.Tensor2D, grids: readonly PatchGrid[]): tf.Tensor2D {
    const { activation, gate } = this.#options;
    const mean = meanPerImage(x, grids);
    const inner =
      activation === "relu" ? tf.relu(this.#first.call(mean)) : this.#first.call(mean, activation);
    const open = this.#second.call(inner);
    const factors = gate === "sigmoid" ? tf.sigmoid(open) : hardSigmoid(open);
    return tf.mul(x, spreadOverPatches(factors, grids));
  }
}
