import * as tf from "@tensorflow/tfjs-core";
import { z } from "zod";

import { BasicError } from "../../errors.js";
import type { Builder } from "../../layers/builder.js";
import { DepthwiseConv, PointwiseConv } from "../../layers/convolution.js";
import { gatherRows } from "../../layers/embedding.js";
import { adaptiveMean, type PatchGrid, patchCount } from "../../layers/image-rows.js";
import { applyActivation, Linear } from "../../layers/linear.js";
import { LayerNorm } from "../../layers/norm.js";
import { SqueezeExcitation } from "../../layers/squeeze-excitation.js";
import type { Parameter } from "../../parameters.js";
import type { Grid } from "../interfaces.js";
import {
  BuiltInProjector,
  describeGrid,
  gridsOf,
  type ImageRows,
  type ProjectorSetup,
  requireGrid,
} from "./built-in-projector.js";
import { poolOption } from "./ldp.js";

const EPSILON = 1e-5;
/** Standard deviation of the position embedding's first values. */
const POSITION_STD = 0.02;

const side = z.int().positive();

/** Options of `c-abstractor`. */
export const cAbstractorOptions = z.strictObject({
  pool: poolOption,
  depth: z.int().nonnegative().default(3).describe("Blocks before the pooling, and as many after it."),
  hidden: z.int().positive().default(1024).describe("Channels of the blocks."),
  mlpDepth: z.int().positive().default(2).describe("Products after the blocks, with SiLU between them."),
  positions: z
    .union([z.tuple([side, side]).readonly(), z.literal(false)])
    .optional()
    .describe(
      "Rows and columns of patches that have an embedding; false: none has. Default: those of the encoder.",
    ),
});
/** Options of `c-abstractor`. */
export interface CAbstractorOptions {
  /** Rows and columns of the pooled grid. Default: 12 × 12. */
  readonly pool?: readonly [number, number] | undefined;
  /** Blocks before the pooling, and as many after it. Default: 3. */
  readonly depth?: number | undefined;
  /** Channels of the blocks. Default: 1024. */
  readonly hidden?: number | undefined;
  /** Products after the blocks, with SiLU between them. Default: 2. */
  readonly mlpDepth?: number | undefined;
  /** Rows and columns of patches that have an embedding; false: none has. Default: those of the encoder. */
  readonly positions?: readonly [number, number] | false | undefined;
}

/**
 * Honeybee's C-Abstractor (arXiv:2312.06742): an embedding of each patch's position, RegNet blocks, mean over cells of
 * a fixed grid, RegNet blocks, products. Parameters have the names of its checkpoints: `pos_emb` `[1, N, features]`,
 * `net.0.b1.conv1.conv.weight` ..., `net.2.b1.*`, `readout.0.*`.
 */
export class CAbstractorProjector extends BuiltInProjector {
  readonly input = null;
  readonly #pool: PatchGrid;
  readonly #positions: PatchGrid | null;
  readonly #embedding: Parameter | null;
  readonly #before: readonly RegBlock[];
  readonly #after: readonly RegBlock[];
  readonly #readout: readonly Linear[];

  /**
   * Use {@link createProjector}.
   *
   * @throws {@link BasicError} `E_CONFIG` where nobody says how many patches there are.
   */
  constructor(setup: ProjectorSetup, options: z.output<typeof cAbstractorOptions>) {
    const { features, width } = setup;
    const { pool, depth, hidden, mlpDepth, positions = setup.patches } = options;
    if (positions === undefined) {
      throw new BasicError(
        "E_CONFIG",
        'createProjector: "c-abstractor" has an embedding for each patch, but the encoder does not say how many there are. ' +
          "Give `positions: [rows, columns]`, or `positions: false` for none.",
      );
    }
    super("c-abstractor", setup, { pool, depth, hidden, mlpDepth, positions });
    const builder = this.builder(setup, { embedding: POSITION_STD });
    this.#pool = pool;
    this.#positions = positions === false ? null : positions;
    this.#embedding =
      positions === false ? null : builder.add("pos_emb", [1, patchCount(positions), features], "embedding");
    this.#before = stage(builder, "net.0", { depth, inChannels: features, channels: hidden });
    this.#after = stage(builder, "net.2", { depth, inChannels: hidden, channels: hidden });
    const channels = depth === 0 ? features : hidden;
    this.#readout = Array.from({ length: mlpDepth }, (_, i) => {
      const inFeatures = i === 0 ? channels : width;
      return new Linear(builder, `readout.${2 * i}`, { inFeatures, outFeatures: width, bias: true });
    });
  }

  get scaling(): readonly Parameter[] {
    const { weight, bias } = this.#readout.at(-1) as Linear;
    return [weight, bias].filter((one) => one !== null);
  }

  gridAfter(grid: Grid, rows: number): ImageRows {
    const patches = requireGrid("c-abstractor", grid, rows);
    const expected = this.#positions;
    if (expected !== null && (patches[0] !== expected[0] || patches[1] !== expected[1])) {
      throw new BasicError(
        "E_SHAPE",
        `c-abstractor: has embeddings for ${describeGrid(expected)} patches, got ${describeGrid(patches)}. ` +
          "Choose that image size, or make the projector with other `positions` (false: any size).",
      );
    }
    return { rows: patchCount(this.#pool), grid: this.#pool };
  }

  protected compute(rows: tf.Tensor2D, images: readonly ImageRows[]): tf.Tensor2D {
    const grids = gridsOf(images);
    const pooledGrids = images.map(() => this.#pool);
    const wide = this.#before.reduce((x, block) => block.call(x, grids), this.#embed(rows, images.length));
    const pooled = adaptiveMean(wide, grids, this.#pool);
    const deep = this.#after.reduce((x, block) => block.call(x, pooledGrids), pooled);
    return this.#readout.reduce(
      (x, layer, i) => layer.call(x, i + 1 < this.#readout.length ? "silu" : "none"),
      deep,
    );
  }

  /** Adds the embedding of each patch's position. */
  #embed(rows: tf.Tensor2D, images: number): tf.Tensor2D {
    if (this.#embedding === null) return rows;
    const [, count, width] = this.#embedding.shape as [number, number, number];
    const table = tf.reshape(this.#embedding.value, [count, width]) as tf.Tensor2D;
    const places = Int32Array.from({ length: images * count }, (_, i) => i % count);
    return tf.add(rows, gatherRows(table, places));
  }
}

function stage(
  builder: Builder,
  name: string,
  { depth, inChannels, channels }: { depth: number; inChannels: number; channels: number },
): readonly RegBlock[] {
  return Array.from(
    { length: depth },
    (_, i) => new RegBlock(builder.within(`${name}.b${i + 1}`), i === 0 ? inChannels : channels, channels),
  );
}

/**
 * RegNet's bottleneck (arXiv:2003.13678) with groups of one channel: 1×1, norm, SiLU; depthwise 3×3, norm, SiLU; squeeze
 * and excitation; 1×1, norm; plus the input (through 1×1 and norm where the channels change); SiLU.
 */
class RegBlock {
  readonly #first: PointwiseConv;
  readonly #firstNorm: LayerNorm;
  readonly #depthwise: DepthwiseConv;
  readonly #depthNorm: LayerNorm;
  readonly #excitation: SqueezeExcitation;
  readonly #last: PointwiseConv;
  readonly #lastNorm: LayerNorm;
  readonly #shortcut: readonly [PointwiseConv, LayerNorm] | null;

  constructor(builder: Builder, inChannels: number, channels: number) {
    const norm = { width: channels, epsilon: EPSILON };
    const narrow = { inChannels, outChannels: channels, bias: false };
    this.#first = new PointwiseConv(builder, "conv1.conv", narrow);
    this.#firstNorm = new LayerNorm(builder, "conv1.bn", norm);
    this.#depthwise = new DepthwiseConv(builder, "conv2.conv", { channels, bias: false });
    this.#depthNorm = new LayerNorm(builder, "conv2.bn", norm);
    this.#excitation = new SqueezeExcitation(builder, "se", {
      channels,
      squeezed: Math.max(1, roundHalfEven(inChannels / 4)),
      activation: "silu",
      gate: "sigmoid",
    });
    this.#last = new PointwiseConv(builder, "conv3.conv", { ...narrow, inChannels: channels });
    this.#lastNorm = new LayerNorm(builder, "conv3.bn", norm);
    this.#shortcut =
      inChannels === channels
        ? null
        : [
            new PointwiseConv(builder, "downsample.conv", narrow),
            new LayerNorm(builder, "downsample.bn", norm),
          ];
  }

  call(x: tf.Tensor2D, grids: readonly PatchGrid[]): tf.Tensor2D {
    const first = applyActivation(this.#firstNorm.call(this.#first.call(x)), "silu");
    const deep = applyActivation(this.#depthNorm.call(this.#depthwise.call(first, grids)), "silu");
    const y = this.#lastNorm.call(this.#last.call(this.#excitation.call(deep, grids)));
    const shortcut = this.#shortcut === null ? x : this.#shortcut[1].call(this.#shortcut[0].call(x));
    return applyActivation(tf.add(y, shortcut), "silu");
  }
}

/** Python's rounding: halves go to the even neighbour. */
function roundHalfEven(value: number): number {
  const below = Math.floor(value);
  if (value - below !== 0.5) return Math.round(value);
  return below % 2 === 0 ? below : below + 1;
}
