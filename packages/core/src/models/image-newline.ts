import * as tf from "@tensorflow/tfjs-core";

import { BasicError } from "../errors.js";
import { spliceRows } from "../layers/embedding.js";
import { Parameter } from "../parameters.js";
import type { Random } from "../random.js";
import type { Projector, VisualRows } from "./interfaces.js";

/** Name of the learned vector that ends each line of a picture cut into tiles, as in LLaVA-1.6. */
export const IMAGE_NEWLINE = "image_newline";

/** Stands for the learned vector `image_newline` in {@link RowArrangement.order}. */
export const NEWLINE_ROW = -1;

/** How the rows of pictures that are cut into tiles follow from those of the projector. N rows, P pictures. */
export interface RowArrangement {
  /** `[N]`: number of a projected row of the batch, or {@link NEWLINE_ROW}. */
  readonly order: Int32Array;
  /** `[P + 1]`: picture i is rows `offsets[i] .. offsets[i + 1]` of `order`. */
  readonly offsets: Int32Array;
}

/**
 * Gives a projector the vector `image_newline` `[D]`, which trains and is saved with it. First values: normal, with
 * deviation 1/√D, as LLaVA's.
 */
export function addImageNewline(projector: Projector, width: number, random: Random): Parameter {
  const values = random.fillNormal(new Float32Array(width), 1 / Math.sqrt(width));
  return projector.parameters.add(new Parameter(IMAGE_NEWLINE, values, [width]));
}

/**
 * Puts the projected rows of tiles into the order that the language model reads; differentiable.
 *
 * @throws {@link BasicError} `E_CONFIG` where the projector has no `image_newline` ({@link addImageNewline}).
 */
export function arrangeRows(
  projected: VisualRows,
  { order, offsets }: RowArrangement,
  { parameters }: Projector,
): VisualRows {
  if (!parameters.has(IMAGE_NEWLINE)) {
    throw new BasicError(
      "E_CONFIG",
      "The pictures of this batch are cut into tiles (anyres), but the projector has no `image_newline` to end their lines with. " +
        'Call addImageNewline, or set model.imageAspectRatio to "anyres" in the recipe.',
    );
  }
  const newline = parameters.get(IMAGE_NEWLINE).value;
  const table = tf.reshape(newline, [1, newline.size]) as tf.Tensor2D;
  const ids = order.map((row) => (row === NEWLINE_ROW ? 0 : -1 - row));
  return {
    rows: spliceRows(table, projected.rows, ids),
    offsets,
    grids: Array.from({ length: offsets.length - 1 }, () => null),
  };
}
