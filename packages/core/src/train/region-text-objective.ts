import * as tf from "@tensorflow/tfjs-core";

import { BasicError } from "../errors.js";
import type { Grid, ImageBatch, VisionEncoder } from "../models/interfaces.js";
import { Parameter, ParameterSet } from "../parameters.js";
import { createRandom } from "../random.js";
import type { LossPart, Objective } from "./objective.js";

/** A micro-batch of {@link createRegionTextObjective}: pictures, and which text of the bank each region shows. */
export interface RegionTextBatch {
  readonly pixels: ImageBatch;
  /** `[images · regions²]`, row-major over the regions of each image: an index into the bank. */
  readonly targets: Int32Array;
  /** `[texts, words]`: weight of each word in each text; may differ from step to step (word dropout). */
  readonly bank: Float32Array;
}

/** Sizes and options of {@link createRegionTextObjective}. */
export interface RegionTextOptions {
  readonly encoder: VisionEncoder;
  readonly texts: number;
  readonly words: number;
  /** Regions along each side of an image: 2 means quadrants. */
  readonly regions: number;
  /** Share of the target spread over all texts. */
  readonly labelSmoothing: number;
  /** Logarithm of the similarity scale at the start. */
  readonly logScale: number;
  readonly seed: number;
}

/**
 * Contrastive training of an encoder: the mean of a region's patches against bag-of-words texts.
 *
 * ```text
 * z = unit(W_p · mean of the region's rows),  t = unit(bank · table),  L = CE(exp(s) · z tᵀ, target)
 * ```
 *
 * After RegionCLIP (arXiv 2112.09106), with a bank of texts in place of a text encoder.
 * Groups: `vision` (the encoder) and `text` (word table, projection, scale).
 *
 * @throws {@link BasicError} `E_SHAPE` when the targets or the bank do not fit the sizes, or the regions the patches.
 */
export function createRegionTextObjective(options: RegionTextOptions): Objective<RegionTextBatch> {
  const { encoder } = options;
  const text = textParameters(options);
  return {
    groups: { vision: encoder.parameters, text },
    count: (batch) => ({ tokens: 0, samples: batch.targets.length }),
    parts: (batch): readonly LossPart[] => {
      checkSizes(batch, options);
      const logits = regionLogits(batch, options, text);
      return [
        {
          name: "contrastive",
          sum: smoothedCrossEntropy(logits, batch.targets, options),
          per: "samples",
          weight: 1,
        },
      ];
    },
    diagnose: async (batch) => {
      const best = tf.tidy(() => tf.argMax(regionLogits(batch, options, text), 1));
      const found = await best.data();
      best.dispose();
      const hits = batch.targets.reduce((sum, target, i) => sum + (found[i] === target ? 1 : 0), 0);
      return { regionAccuracy: hits / batch.targets.length };
    },
  };
}

function textParameters({ encoder, words, logScale, seed }: RegionTextOptions): ParameterSet {
  const { width } = encoder;
  const set = new ParameterSet();
  const random = createRandom(seed, "region-text");
  const table = random.fillNormal(new Float32Array(words * width), 1 / Math.sqrt(width));
  const projection = random.fillNormal(new Float32Array(width * width), 1 / Math.sqrt(width));
  set.add(new Parameter("text.table", table, [words, width]));
  set.add(new Parameter("text.projection", projection, [width, width]));
  set.add(new Parameter("text.log_scale", Float32Array.of(logScale), [1]));
  return set;
}

/** `[images · regions², texts]`. */
function regionLogits(batch: RegionTextBatch, options: RegionTextOptions, text: ParameterSet): tf.Tensor2D {
  const { encoder, regions, texts, words } = options;
  const [images] = batch.pixels.shape;
  const pixels = tf.tensor4d(batch.pixels.pixels, [...batch.pixels.shape]);
  const { rows, grids } = encoder.encode(pixels);
  const inside = patchesPerRegion(grids[0] ?? null, regions);
  const split = tf.reshape(rows, [images, regions, inside, regions, inside * encoder.width]);
  const acrossRows = tf.sum(split, 2); // [images, regions, regions, inside · width]
  const columns = tf.reshape(acrossRows, [images * regions * regions, inside, encoder.width]);
  const pooled = tf.mul(tf.sum(columns, 1), 1 / (inside * inside)); // [images · regions², width]
  const z = unit(tf.matMul(pooled, text.get("text.projection").value));
  const bank = tf.tensor2d(batch.bank, [texts, words]);
  const t = unit(tf.matMul(bank, text.get("text.table").value));
  return tf.mul(tf.matMul(z, t, false, true), tf.exp(text.get("text.log_scale").value)) as tf.Tensor2D;
}

function smoothedCrossEntropy(
  logits: tf.Tensor2D,
  targets: Int32Array,
  { texts, labelSmoothing }: RegionTextOptions,
): tf.Scalar {
  const wanted = new Float32Array(targets.length * texts).fill(labelSmoothing / texts);
  for (const [row, target] of targets.entries()) {
    wanted[row * texts + target] = 1 - labelSmoothing + labelSmoothing / texts;
  }
  const logProbabilities = tf.logSoftmax(logits);
  return tf.neg(tf.sum(tf.mul(tf.tensor2d(wanted, [targets.length, texts]), logProbabilities))) as tf.Scalar;
}

/** Rows of length 1. */
function unit(x: tf.Tensor): tf.Tensor {
  return tf.mul(x, tf.rsqrt(tf.add(tf.sum(tf.square(x), -1, true), 1e-12)));
}

/** Patches along each side of a region. Pictures of a batch are square and of one size. */
function patchesPerRegion(grid: Grid, regions: number): number {
  if (grid !== null && grid[0] === grid[1] && grid[0] % regions === 0) return grid[0] / regions;
  throw new BasicError(
    "E_SHAPE",
    `regionText: ${regions} x ${regions} regions need a square grid of patches whose side is a multiple of ${regions}, ` +
      `but the encoder gave ${grid === null ? "rows without a grid" : `${grid[0]} x ${grid[1]} patches`}. ` +
      "Choose another `contrastive.regions`, picture size or patch size, and leave the class token out.",
  );
}

function checkSizes(batch: RegionTextBatch, { texts, words, regions }: RegionTextOptions): void {
  const [images] = batch.pixels.shape;
  const wanted = images * regions * regions;
  if (batch.targets.length !== wanted || batch.bank.length !== texts * words) {
    throw new BasicError(
      "E_SHAPE",
      `regionText: expected ${wanted} targets and a bank of ${texts} × ${words} values, ` +
        `got ${batch.targets.length} and ${batch.bank.length}. Build both from the same concept list.`,
    );
  }
  const outside = batch.targets.find((target) => target < 0 || target >= texts);
  if (outside !== undefined) {
    throw new BasicError(
      "E_INDEX_RANGE",
      `regionText: target ${outside} is outside of the bank of ${texts} texts. ` +
        "Build the targets and the bank from the same concept list.",
    );
  }
}
