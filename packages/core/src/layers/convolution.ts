import * as tf from "@tensorflow/tfjs-core";

import { checkpoint } from "../autodiff.js";
import type { FusedActivation } from "../kernels/activation.js";
import type { Parameter } from "../parameters.js";
import type { Builder } from "./builder.js";
import { gatherRows } from "./embedding.js";
import { type PatchGrid, patchCount } from "./image-rows.js";
import { applyLinear } from "./linear.js";

const SIDE = 3;

/** Height and width after a 3×3 convolution with one row of padding. */
export function convolvedGrid([height, width]: PatchGrid, stride: number): PatchGrid {
  return [Math.ceil(height / stride), Math.ceil(width / stride)];
}

/**
 * A 3×3 convolution of each channel by itself, with one row of zeros around each image. Parameters `NAME.weight`
 * `[C, 1, 3, 3]` and `NAME.bias` `[C]`.
 *
 * Nine gathers of rows, each times a factor per channel. While training they run again in the gradient, instead of being
 * kept.
 */
export class DepthwiseConv {
  readonly weight: Parameter;
  readonly bias: Parameter | null;
  readonly #stride: number;

  constructor(
    builder: Builder,
    name: string,
    {
      channels,
      bias,
      stride = 1,
    }: { readonly channels: number; readonly bias: boolean; readonly stride?: number },
  ) {
    this.weight = builder.add(`${name}.weight`, [channels, 1, SIDE, SIDE], "weight");
    this.bias = bias ? builder.add(`${name}.bias`, [channels], "bias") : null;
    this.#stride = stride;
  }

  /** @param x - `[N, C]`. @returns The rows of {@link convolvedGrid} of each image, `[M, C]`. */
  call(x: tf.Tensor2D, grids: readonly PatchGrid[]): tf.Tensor2D {
    const taps = tapsOf(grids, this.#stride);
    const trained = [this.weight, this.bias].flatMap((one) => (one?.trainable === true ? [one.value] : []));
    return checkpoint(([rows]) => this.#convolve(rows as tf.Tensor2D, taps), [x], trained) as tf.Tensor2D;
  }

  #convolve(x: tf.Tensor2D, taps: readonly Int32Array[]): tf.Tensor2D {
    const padded = tf.pad(x, [
      [0, 1],
      [0, 0],
    ]) as tf.Tensor2D;
    const byTap = tf.transpose(tf.reshape(this.weight.value, [x.shape[1], SIDE * SIDE]));
    const factors = tf.split(byTap, SIDE * SIDE);
    const terms = taps.map((rows, i) => tf.mul(gatherRows(padded, rows), factors[i] as tf.Tensor));
    const sum = tf.addN(terms) as tf.Tensor2D;
    return this.bias === null ? sum : tf.add(sum, this.bias.value);
  }
}

/**
 * For each of the nine places of a kernel, the input row under it at every output row; N, the row of zeros behind the
 * images, where it lies outside.
 */
function tapsOf(grids: readonly PatchGrid[], stride: number): readonly Int32Array[] {
  const outside = grids.reduce((sum, grid) => sum + patchCount(grid), 0);
  return Array.from({ length: SIDE * SIDE }, (_, tap) => {
    const [down, across] = [Math.floor(tap / SIDE) - 1, (tap % SIDE) - 1];
    const rows: number[] = [];
    let start = 0;
    for (const grid of grids) {
      const [height, width] = convolvedGrid(grid, stride);
      for (let place = 0; place < height * width; place++) {
        const y = Math.floor(place / width) * stride + down;
        const x = (place % width) * stride + across;
        const inside = y >= 0 && y < grid[0] && x >= 0 && x < grid[1];
        rows.push(inside ? start + y * grid[1] + x : outside);
      }
      start += patchCount(grid);
    }
    return Int32Array.from(rows);
  });
}

/** A 1×1 convolution: a product of each row. Parameters `NAME.weight` `[O, I, 1, 1]` and `NAME.bias` `[O]`. */
export class PointwiseConv {
  readonly weight: Parameter;
  readonly bias: Parameter | null;
  readonly #shape: [outChannels: number, inChannels: number];

  constructor(
    builder: Builder,
    name: string,
    shape: { readonly inChannels: number; readonly outChannels: number; readonly bias: boolean },
  ) {
    const { inChannels, outChannels, bias } = shape;
    this.weight = builder.add(`${name}.weight`, [outChannels, inChannels, 1, 1], "weight");
    this.bias = bias ? builder.add(`${name}.bias`, [outChannels], "bias") : null;
    this.#shape = [outChannels, inChannels];
  }

  /** @param x - `[R, I]`. @returns `[R, O]`. */
  call(x: tf.Tensor2D, activation: FusedActivation = "none"): tf.Tensor2D {
    const weights = {
      weight: tf.reshape(this.weight.value, this.#shape),
      bias: (this.bias?.value as tf.Tensor1D | undefined) ?? null,
      trainable: this.weight.trainable || this.bias?.trainable === true,
    };
    return applyLinear(x, weights, activation);
  }
}
