import * as tf from "@tensorflow/tfjs-core";

import { gatherRows } from "./embedding.js";

/** Rows and columns of the patches of an image. */
export type PatchGrid = readonly [height: number, width: number];

/** Images of one grid that follow each other. */
interface Run {
  readonly grid: PatchGrid;
  images: number;
}

/** Number of rows of a grid. */
export function patchCount([height, width]: PatchGrid): number {
  return height * width;
}

/**
 * Hands over the rows of images of the same grid together, and joins the results.
 *
 * @param x - `[N, C]`: the patches of all images, row-major, one image after the other.
 * @param compute - From `[images, h · w, C]` to `[images · n, C']`.
 */
export function mapRuns(
  x: tf.Tensor2D,
  grids: readonly PatchGrid[],
  compute: (images: tf.Tensor3D, grid: PatchGrid) => tf.Tensor2D,
): tf.Tensor2D {
  const runs = runsOf(grids);
  const width = x.shape[1];
  let start = 0;
  const parts = runs.map(({ grid, images }) => {
    const count = images * patchCount(grid);
    const rows = runs.length === 1 ? x : tf.slice(x, [start, 0], [count, width]);
    start += count;
    return compute(tf.reshape(rows, [images, patchCount(grid), width]), grid);
  });
  return parts.length === 1 ? (parts[0] as tf.Tensor2D) : tf.concat(parts, 0);
}

function runsOf(grids: readonly PatchGrid[]): readonly Run[] {
  const runs: Run[] = [];
  for (const grid of grids) {
    const last = runs.at(-1);
    if (last !== undefined && last.grid[0] === grid[0] && last.grid[1] === grid[1]) last.images++;
    else runs.push({ grid, images: 1 });
  }
  return runs;
}

/** The mean row of each image: `[N, C]` to `[images, C]`. */
export function meanPerImage(x: tf.Tensor2D, grids: readonly PatchGrid[]): tf.Tensor2D {
  return mapRuns(x, grids, (images) => tf.mean(images, 1));
}

/** Repeats row i of `[images, C]` for every patch of image i: `[N, C]`. */
export function spreadOverPatches(x: tf.Tensor2D, grids: readonly PatchGrid[]): tf.Tensor2D {
  return gatherRows(
    x,
    Int32Array.from(grids.flatMap((grid, i) => new Array<number>(patchCount(grid)).fill(i))),
  );
}

/**
 * Mean over cells: output place (Y, X) covers the rows ⌊Y h / H⌋ to ⌈(Y + 1) h / H⌉ and columns likewise, so that cells
 * overlap where h is no multiple of H (PyTorch's AdaptiveAvgPool2d).
 *
 * @param x - `[N, C]`.
 * @param target - `[H, W]`.
 * @returns `[images · H · W, C]`.
 */
export function adaptiveMean(x: tf.Tensor2D, grids: readonly PatchGrid[], target: PatchGrid): tf.Tensor2D {
  const width = x.shape[1];
  return mapRuns(x, grids, (images, grid) => {
    const shape: [number, number, number] = [1, patchCount(target), patchCount(grid)];
    const pooled = tf.matMul(tf.tensor3d(adaptiveMeanWeights(grid, target), shape), images);
    return tf.reshape(pooled, [images.shape[0] * patchCount(target), width]);
  });
}

/** Weights `[H · W, h · w]` of {@link adaptiveMean}. */
export function adaptiveMeanWeights(from: PatchGrid, target: PatchGrid): Float32Array {
  const [down, across] = [cells(from[0], target[0]), cells(from[1], target[1])];
  const weights = new Float32Array(patchCount(target) * patchCount(from));
  for (const [row, [top, bottom]] of down.entries()) {
    for (const [column, [left, right]] of across.entries()) {
      const weight = 1 / ((bottom - top) * (right - left));
      const place = (row * target[1] + column) * patchCount(from);
      for (let y = top; y < bottom; y++) {
        weights.fill(weight, place + y * from[1] + left, place + y * from[1] + right);
      }
    }
  }
  return weights;
}

/** First and past-the-end place of each of `count` cells. */
function cells(size: number, count: number): readonly (readonly [number, number])[] {
  return Array.from({ length: count }, (_, i) => [
    Math.floor((i * size) / count),
    Math.ceil(((i + 1) * size) / count),
  ]);
}
