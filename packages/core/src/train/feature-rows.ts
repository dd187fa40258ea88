import { BasicError } from "../errors.js";
import type { VisualSpan } from "../losses/visual-loss.js";
import { NEWLINE_ROW, type RowArrangement } from "../models/image-newline.js";
import type { Projector, VisualRows } from "../models/interfaces.js";

/** The visual rows that come from one feature each. M of N rows; the others are `image_newline`. */
export interface FeatureRows {
  /** `[M]`: numbers of visual rows, ascending. */
  readonly rows: Int32Array;
  /** `[M]`: the feature row of each. */
  readonly features: Int32Array;
  /** Spans of the M rows. */
  readonly images: readonly VisualSpan[];
}

/** Leaves out the rows of pictures cut into tiles that no feature stands behind. */
export function featureRows({ order }: RowArrangement, images: readonly VisualSpan[]): FeatureRows {
  const rows = Int32Array.from(order.keys()).filter((row) => order[row] !== NEWLINE_ROW);
  let start = 0;
  const spans = images.map(({ sample, start: first, length: all }): VisualSpan => {
    const length = order.subarray(first, first + all).filter((row) => row !== NEWLINE_ROW).length;
    const span = { sample, start, length };
    start += length;
    return span;
  });
  return { rows, features: rows.map((row) => order[row] as number), images: spans };
}

/**
 * Whether a projector gives one row per feature: one that merges rows leaves none to compare with.
 *
 * @throws {@link BasicError} `E_SHAPE`.
 */
export function checkRowPerFeature({ offsets, grids }: VisualRows, projector: Projector, loss: string): void {
  for (const [i, grid] of grids.entries()) {
    const given = (offsets[i + 1] ?? 0) - (offsets[i] ?? 0);
    const { rows } = projector.gridAfter(grid, given);
    if (rows === given) continue;
    throw new BasicError(
      "E_SHAPE",
      `${loss}: the encoder gave ${given} feature rows for an image, but the projector makes ${rows} of them. ` +
        "Use a projector that keeps the rows (linear, mlp2x_gelu), or leave this loss out.",
    );
  }
}
