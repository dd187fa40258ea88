import * as tf from "@tensorflow/tfjs-core";

import { BasicError } from "../../errors.js";
import { rmsNorm } from "../../kernels/rms-norm.js";
import { runKernel } from "../../kernels/run.js";
import { gatherRows } from "../../layers/embedding.js";
import { Linear } from "../../layers/linear.js";
import type { Parameter } from "../../parameters.js";
import type { Grid } from "../interfaces.js";
import { BuiltInProjector, describeGrid, type ImageRows, type ProjectorSetup } from "./built-in-projector.js";

/** Options of the projectors that are products alone. */
export interface MlpOptions {
  /** `rms`: each output row is scaled to this root mean square. Default `none`. */
  readonly outputNorm?: "none" | { readonly rms: number };
  /** Biases of the products. Default true (false for `pixel-shuffle`, as nanoVLM's). */
  readonly bias?: boolean;
  /** `pixel-shuffle`: side of the square of patches that becomes one row. Default 2. */
  readonly factor?: number;
}

/** `mlpNx_gelu`: N products, N from 2. */
export const mlpPattern: RegExp = /^mlp([2-9]|[1-9]\d+)x_gelu$/;

/** Names that stand for a {@link MlpProjector}. */
export type MlpName =
  | "identity"
  | "linear"
  | "gelu-mlp"
  | "fused-gelu-mlp"
  | "pixel-shuffle"
  | `mlp${number}x_gelu`;

/** The products of a name by their output widths; null where the name means something else. */
export function mlpWidths(name: string, { features, width }: ProjectorSetup): readonly number[] | null {
  switch (name) {
    case "identity":
      return [];
    case "linear":
    case "pixel-shuffle":
      return [width];
    case "gelu-mlp":
      return [width, width];
    case "fused-gelu-mlp":
      return [4 * features, width, width];
    default: {
      const depth = Number(mlpPattern.exec(name)?.[1] ?? 0);
      return depth < 2 ? null : new Array<number>(depth).fill(width);
    }
  }
}

/** Products with GELU (exact) between them, optionally after a pixel shuffle. Parameters `linear_1.*`, `linear_2.*` ... */
export class MlpProjector extends BuiltInProjector {
  readonly outputNorm: "none" | { readonly rms: number };
  /** The products, first to last. */
  readonly layers: readonly Linear[];
  /** Side of the square of patches that becomes one row; 1 = every row by itself. */
  readonly factor: number;

  /** Use {@link createProjector}. @param widths - Output width of each product. */
  constructor(name: string, setup: ProjectorSetup & MlpOptions, widths: readonly number[]) {
    const { features, width, outputNorm = "none" } = setup;
    const shuffles = name === "pixel-shuffle";
    const { bias = !shuffles, factor = shuffles ? 2 : 1 } = setup;
    checkUsed(name, setup);
    checkSizes({ features, width, factor, outputNorm, depth: widths.length });
    const given = { ...(widths.length > 0 && { bias }), ...(shuffles && { factor }) };
    super(name, setup, { ...given, ...(outputNorm !== "none" && { outputNorm }) });
    const builder = this.builder(setup);
    this.factor = factor;
    this.outputNorm = outputNorm;
    this.layers = widths.map((outFeatures, i) => {
      const inFeatures = widths[i - 1] ?? features * factor * factor;
      return new Linear(builder, `linear_${i + 1}`, { inFeatures, outFeatures, bias });
    });
  }

  get input(): Linear | null {
    return this.layers[0] ?? null;
  }

  get scaling(): readonly Parameter[] {
    const last = this.layers.at(-1);
    if (last === undefined || this.outputNorm !== "none") return [];
    return [last.weight, ...(last.bias === null ? [] : [last.bias])];
  }

  gridAfter(grid: Grid, rows: number): ImageRows {
    const { factor } = this;
    if (factor === 1) return { rows, grid };
    if (grid === null || grid[0] * grid[1] !== rows || grid[0] % factor !== 0 || grid[1] % factor !== 0) {
      throw new BasicError(
        "E_SHAPE",
        `pixel-shuffle: needs a grid of patches whose sides are multiples of ${factor}, got ` +
          `${describeGrid(grid)} and ${rows} rows. ` +
          "Choose another image size or factor, and leave the class token out.",
      );
    }
    return { rows: rows / factor ** 2, grid: [grid[0] / factor, grid[1] / factor] };
  }

  protected compute(rows: tf.Tensor2D, images: readonly ImageRows[]): tf.Tensor2D {
    return this.#norm(this.#products(this.#shuffle(rows, images)));
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
  #shuffle(rows: tf.Tensor2D, images: readonly ImageRows[]): tf.Tensor2D {
    const { factor } = this;
    if (factor === 1) return rows;
    const order: number[] = [];
    let start = 0;
    for (const { grid, rows: count } of images) {
      for (let patch = 0; patch < count; patch++) {
        order.push(start + shuffledPatch(patch, grid?.[1] ?? count, factor));
      }
      start += count;
    }
    const square = factor * factor;
    return tf.reshape(gatherRows(rows, Int32Array.from(order)), [
      order.length / square,
      square * rows.shape[1],
    ]);
  }
}

/** An option that the projector would ignore is a mistake. */
function checkUsed(name: string, { factor = 1, bias = false }: MlpOptions): void {
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

function checkSizes(sizes: {
  readonly features: number;
  readonly width: number;
  readonly depth: number;
  readonly factor: number;
  readonly outputNorm: "none" | { readonly rms: number };
}): void {
  const { features, width, depth, factor, outputNorm } = sizes;
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
