import * as tf from "@tensorflow/tfjs-core";
import { z } from "zod";

import type { Builder } from "../../layers/builder.js";
import { convolvedGrid, DepthwiseConv, PointwiseConv } from "../../layers/convolution.js";
import { adaptiveMean, type PatchGrid } from "../../layers/image-rows.js";
import { Linear } from "../../layers/linear.js";
import { LayerNorm } from "../../layers/norm.js";
import { hardSwish, SqueezeExcitation } from "../../layers/squeeze-excitation.js";
import type { Parameter } from "../../parameters.js";
import type { Grid } from "../interfaces.js";
import {
  BuiltInProjector,
  gridsOf,
  type ImageRows,
  type ProjectorSetup,
  requireGrid,
} from "./built-in-projector.js";

const EPSILON = 1e-5;
/** Channels of a squeeze are multiples of this. */
const DIVISOR = 8;

/** Options of `ldp`: none. */
export const ldpOptions = z.strictObject({});

/**
 * MobileVLM's lightweight downsample projector (arXiv:2312.16886): `Linear, GELU, Linear`, then two inverted residual
 * blocks of MobileNetV3 without expansion, the second with stride 2: a quarter of the rows. Parameters have the names
 * of its checkpoints: `model.mlp.1.*`, `model.mb_block.1.block.0.0.weight` ...
 */
export class LdpProjector extends BuiltInProjector {
  readonly #first: Linear;
  readonly #second: Linear;
  readonly #blocks: readonly LdpBlock[];

  /** Use {@link createProjector}. */
  constructor(setup: ProjectorSetup) {
    super("ldp", setup, {});
    const { features, width } = setup;
    const builder = this.builder(setup).within("model");
    this.#first = new Linear(builder, "mlp.1", { inFeatures: features, outFeatures: width, bias: true });
    this.#second = new Linear(builder, "mlp.3", { inFeatures: width, outFeatures: width, bias: true });
    this.#blocks = [1, 2].map((stride) => new LdpBlock(builder, `mb_block.${stride}`, { width, stride }));
  }

  get input(): Linear {
    return this.#first;
  }

  get scaling(): readonly Parameter[] {
    const norm = (this.#blocks.at(-1) as LdpBlock).norm;
    return [norm.weight, norm.bias];
  }

  gridAfter(grid: Grid, rows: number): ImageRows {
    const [height, width] = convolvedGrid(requireGrid("ldp", grid, rows), 2);
    return { rows: height * width, grid: [height, width] };
  }

  protected compute(rows: tf.Tensor2D, images: readonly ImageRows[]): tf.Tensor2D {
    const grids = gridsOf(images);
    const mixed = this.#second.call(this.#first.call(rows, "gelu-erf"));
    return this.#blocks.reduce((x, block) => block.call(x, grids), mixed);
  }
}

/** Depthwise 3×3, norm, Hardswish; squeeze and excitation; 1×1, norm; plus the input where the stride is 1. */
class LdpBlock {
  /** The last norm. */
  readonly norm: LayerNorm;
  readonly #stride: number;
  readonly #depthwise: DepthwiseConv;
  readonly #depthNorm: LayerNorm;
  readonly #excitation: SqueezeExcitation;
  readonly #pointwise: PointwiseConv;

  constructor(
    builder: Builder,
    name: string,
    { width, stride }: { readonly width: number; readonly stride: number },
  ) {
    const inner = builder.within(`${name}.block`);
    const norm = { width, epsilon: EPSILON };
    this.#stride = stride;
    this.#depthwise = new DepthwiseConv(inner, "0.0", { channels: width, bias: false, stride });
    this.#depthNorm = new LayerNorm(inner, "0.1", norm);
    this.#excitation = new SqueezeExcitation(inner, "1", {
      channels: width,
      squeezed: divisible(Math.floor(width / 4)),
      activation: "relu",
      gate: "hard-sigmoid",
    });
    this.#pointwise = new PointwiseConv(inner, "2.0", { inChannels: width, outChannels: width, bias: false });
    this.norm = new LayerNorm(inner, "2.1", norm);
  }

  call(x: tf.Tensor2D, grids: readonly PatchGrid[]): tf.Tensor2D {
    const after = grids.map((grid) => convolvedGrid(grid, this.#stride));
    const deep = hardSwish(this.#depthNorm.call(this.#depthwise.call(x, grids)));
    const y = this.norm.call(this.#pointwise.call(this.#excitation.call(deep, after)));
    return this.#stride === 1 ? tf.add(y, x) : y;
  }
}

/** The nearest multiple of 8, never below nine tenths of the number (MobileNet's rule). */
function divisible(channels: number): number {
  const nearest = Math.max(DIVISOR, Math.floor((channels + DIVISOR / 2) / DIVISOR) * DIVISOR);
  return nearest < 0.9 * channels ? nearest + DIVISOR : nearest;
}

const side = z.int().positive();

/** Rows and columns of what a grid is pooled to. */
export const poolOption = z
  .tuple([side, side])
  .readonly()
  .default([12, 12])
  .describe("Rows and columns of the pooled grid.");

/** Options of `ldpv2`. */
export const ldpv2Options = z.strictObject({ pool: poolOption });
/** Options of `ldpv2`. */
export interface Ldpv2Options {
  /** Rows and columns of the pooled grid. Default: 12 × 12. */
  readonly pool?: readonly [number, number] | undefined;
}

/**
 * MobileVLM V2's projector (arXiv:2402.03766): `Linear, GELU, Linear`, mean over cells of a fixed grid, then a depthwise
 * 3×3 convolution added to its input. Parameters have the names of its checkpoints: `mlp.mlp.0.*`, `mlp.mlp.2.*`,
 * `peg.peg.0.*`.
 */
export class Ldpv2Projector extends BuiltInProjector {
  readonly #first: Linear;
  readonly #second: Linear;
  readonly #position: DepthwiseConv;
  readonly #pool: PatchGrid;

  /** Use {@link createProjector}. */
  constructor(setup: ProjectorSetup, options: z.output<typeof ldpv2Options>) {
    super("ldpv2", setup, options);
    const { features, width } = setup;
    const builder = this.builder(setup);
    this.#pool = options.pool;
    this.#first = new Linear(builder, "mlp.mlp.0", { inFeatures: features, outFeatures: width, bias: true });
    this.#second = new Linear(builder, "mlp.mlp.2", { inFeatures: width, outFeatures: width, bias: true });
    this.#position = new DepthwiseConv(builder, "peg.peg.0", { channels: width, bias: true });
  }

  get input(): Linear {
    return this.#first;
  }

  get scaling(): readonly Parameter[] {
    const { weight, bias } = this.#second;
    return [weight, bias, this.#position.bias].filter((one) => one !== null);
  }

  gridAfter(grid: Grid, rows: number): ImageRows {
    requireGrid("ldpv2", grid, rows);
    return { rows: this.#pool[0] * this.#pool[1], grid: this.#pool };
  }

  protected compute(rows: tf.Tensor2D, images: readonly ImageRows[]): tf.Tensor2D {
    const mixed = this.#second.call(this.#first.call(rows, "gelu-erf"));
    const pooled = adaptiveMean(mixed, gridsOf(images), this.#pool);
    const grids = images.map(() => this.#pool);
    return tf.add(this.#position.call(pooled, grids), pooled);
  }
}
