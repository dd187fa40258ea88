import * as tf from "@tensorflow/tfjs-core";

import { BasicError } from "../../errors.js";
import { rmsNorm } from "../../kernels/rms-norm.js";
import { runKernel } from "../../kernels/run.js";
import { Builder, randomValues, type ValueSource } from "../../layers/builder.js";
import { gatherRows } from "../../layers/embedding.js";
import { Linear } from "../../layers/linear.js";
import { didYouMean } from "../../nearest.js";
import { ParameterSet } from "../../parameters.js";
import type { Grid, Projector, VisualRows } from "../interfaces.js";

/** Options of {@link createProjector}. */
export interface ProjectorOptions {
  /** Width of the features. */
  readonly features: number;
  /** D, the LLM's width. */
  readonly width: number;
  /** Seed of the first values. Default 0. */
  readonly seed?: number;
  /** First values; instead of `seed`. */
  readonly values?: ValueSource;
  /** `rms`: each output row is scaled to this root mean square. Default `none`. */
  readonly outputNorm?: "none" | { readonly rms: number };
  /** Biases of the products. Default true (false for `pixel-shuffle`, as nanoVLM's). */
  readonly bias?: boolean;
  /** `pixel-shuffle`: side of the square of patches that becomes one row. Default 2. */
  readonly factor?: number;
}

/** `mlpNx_gelu`: N products, N from 2. */
export const mlpName: RegExp = /^mlp([2-9]|[1-9]\d+)x_gelu$/;

/** Names of the built-in projectors; `mlpNx_gelu` stands for any N from 2. */
export const projectorNames: readonly string[] = [
  "identity",
  "linear",
  "mlp2x_gelu",
  "mlpNx_gelu",
  "pixel-shuffle",
];

/**
 * Builds a projector by name: `identity`, `linear`, `mlp2x_gelu` (any number of products: `mlp3x_gelu`) or
 * `pixel-shuffle`.
 *
 * @throws {@link BasicError} `E_NAME_UNKNOWN`, or `E_CONFIG` where the options do not fit.
 */
export function createProjector(name: string, options: ProjectorOptions): MlpProjector {
  checkUsed(name, options);
  if (name === "identity") return new MlpProjector(0, options);
  if (name === "linear") return new MlpProjector(1, options);
  if (name === "pixel-shuffle") {
    return new MlpProjector(1, { bias: false, ...options }, options.factor ?? 2);
  }
  const depth = Number(mlpName.exec(name)?.[1] ?? 0);
  if (depth < 2) {
    throw new BasicError(
      "E_NAME_UNKNOWN",
      `createProjector: there is no projector "${name}".${didYouMean(name, projectorNames)} Known: ${projectorNames.join(", ")}.`,
    );
  }
  return new MlpProjector(depth, options);
}

/** An option that the projector would ignore is a mistake. */
function checkUsed(name: string, { factor = 1, bias = false }: ProjectorOptions): void {
  if (factor !== 1 && name !== "pixel-shuffle") {
    throw new BasicError(
      "E_CONFIG",
      `createProjector: "${name}" has no \`factor\`, got ${factor}. Leave it out, or use "pixel-shuffle".`,
    );
  }
  if (bias && name === "identity") {
    throw new BasicError(
      "E_CONFIG",
      'createProjector: "identity" has no products, so `bias: true` means nothing. Leave it out, or use "linear".',
    );
  }
}

/** Products with GELU (exact) between them, optionally after a pixel shuffle. Parameters `linear_1.*`, `linear_2.*` ... */
export class MlpProjector implements Projector {
  readonly parameters = new ParameterSet();
  readonly outputNorm: "none" | { readonly rms: number };
  /** The products, first to last. */
  readonly layers: readonly Linear[];
  /** Side of the square of patches that becomes one row; 1 = every row by itself. */
  readonly factor: number;

  /** Use {@link createProjector}. */
  constructor(depth: number, options: ProjectorOptions, factor = 1) {
    const { features, width, bias = true, outputNorm = "none", seed = 0 } = options;
    if (depth === 0 && features !== width) {
      throw new BasicError(
        "E_CONFIG",
        `createProjector: "identity" needs features of the LLM's width ${width}, got ${features}. Use "linear".`,
      );
    }
    if (!Number.isInteger(factor) || factor < 1) {
      throw new BasicError(
        "E_CONFIG",
        `createProjector: \`factor\` must be a whole number from 1, got ${factor}. Leave it out for 2.`,
      );
    }
    if (outputNorm !== "none" && !(outputNorm.rms > 0)) {
      throw new BasicError(
        "E_CONFIG",
        `createProjector: \`outputNorm.rms\` must be above 0, got ${outputNorm.rms}. Leave \`outputNorm\` out for none.`,
      );
    }
    const builder = new Builder(this.parameters, options.values ?? randomValues(seed, { weight: "fan-in" }));
    this.factor = factor;
    this.outputNorm = outputNorm;
    this.layers = Array.from({ length: depth }, (_, i) => {
      const inFeatures = i === 0 ? features * factor * factor : width;
      return new Linear(builder, `linear_${i + 1}`, { inFeatures, outFeatures: width, bias });
    });
  }

  /** @throws {@link BasicError} `E_SHAPE` when a pixel shuffle meets rows that are no grid of whole squares. */
  project({ rows, offsets, grids }: VisualRows): VisualRows {
    const after = grids.map((grid, i) => this.gridAfter(grid, countOf(offsets, i)));
    return {
      rows: tf.tidy(() => this.#norm(this.#products(this.#shuffle(rows, grids)))),
      offsets: cumulative(after.map((image) => image.rows)),
      grids: after.map((image) => image.grid),
    };
  }

  gridAfter(grid: Grid, rows: number): { readonly rows: number; readonly grid: Grid } {
    const { factor } = this;
    if (factor === 1) return { rows, grid };
    if (grid === null || grid[0] * grid[1] !== rows || grid[0] % factor !== 0 || grid[1] % factor !== 0) {
      throw new BasicError(
        "E_SHAPE",
        `pixel-shuffle: needs a grid of patches whose sides are multiples of ${factor}, got ` +
          `${grid === null ? "rows without a grid" : `${grid[0]} x ${grid[1]}`} and ${rows} rows. ` +
          "Choose another image size or factor, and leave the class token out.",
      );
    }
    return { rows: rows / factor ** 2, grid: [grid[0] / factor, grid[1] / factor] };
  }

  #products(rows: tf.Tensor2D): tf.Tensor2D {
    return this.layers.reduce(
      (x, layer, i) => layer.call(x, i + 1 < this.layers.length ? "gelu-erf" : "none"),
      rows,
    );
  }

  #norm(rows: tf.Tensor2D): tf.Tensor2D {
    if (this.outputNorm === "none") return rows;
    const weight = tf.fill([rows.shape[1]], this.outputNorm.rms);
    const attrs = { epsilon: 1e-12, addOne: false };
    return runKernel(rmsNorm, { x: rows, weight }, attrs)[0] as tf.Tensor2D;
  }

  /** Squares of `factor`² patches side by side in one row, patch rows first (nanoVLM's order). */
  #shuffle(rows: tf.Tensor2D, grids: readonly Grid[]): tf.Tensor2D {
    const { factor } = this;
    if (factor === 1) return rows;
    const order: number[] = [];
    let start = 0;
    for (const [height, width] of grids as readonly (readonly [number, number])[]) {
      for (let patch = 0; patch < height * width; patch++) {
        order.push(start + shuffledPatch(patch, width, factor));
      }
      start += height * width;
    }
    const square = factor * factor;
    return tf.reshape(gatherRows(rows, Int32Array.from(order)), [
      order.length / square,
      square * rows.shape[1],
    ]);
  }
}

/** Which patch stands at place `place` when squares of `factor`² patches follow each other. */
function shuffledPatch(place: number, width: number, factor: number): number {
  const square = Math.floor(place / factor ** 2);
  const inside = place % factor ** 2;
  const perRow = width / factor;
  const y = Math.floor(square / perRow) * factor + Math.floor(inside / factor);
  const x = (square % perRow) * factor + (inside % factor);
  return y * width + x;
}

function countOf(offsets: Int32Array, image: number): number {
  return (offsets[image + 1] ?? 0) - (offsets[image] ?? 0);
}

function cumulative(counts: readonly number[]): Int32Array {
  const offsets = new Int32Array(counts.length + 1);
  for (const [i, count] of counts.entries()) offsets[i + 1] = (offsets[i] ?? 0) + count;
  return offsets;
}
