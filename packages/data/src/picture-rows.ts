import { BasicError, type Grid, NEWLINE_ROW, type RowArrangement } from "@basic-mllm/core";

import { anyresRowCount, anyresRows, encodedImages } from "./tiles.js";
import type { ImageShape } from "./visual-store.js";

/** A projector's `gridAfter`. */
export type GridAfter = (grid: Grid, rows: number) => { readonly rows: number; readonly grid: Grid };

/** Rows of a picture at the LLM's input. */
export interface PictureRows {
  readonly rows: number;
  /** Null for a picture that is cut into tiles: its rows are no grid. */
  readonly grid: Grid;
  /** Of a picture that is cut: how its rows follow from those of the projector ({@link anyresRows}). */
  readonly cut?: { readonly order: Int32Array; readonly projected: number };
}

/**
 * What a projector and the tiles make of a picture.
 *
 * @throws `BasicError` `E_CONFIG` where tiles meet an encoder or a projector whose rows are no square grid.
 */
export function rowsAfter(shape: ImageShape, gridAfter: GridAfter): PictureRows {
  const { tiles } = shape;
  if (tiles === undefined) return gridAfter(shape.grid, shape.rows);
  const side = sideAfter(shape, gridAfter);
  const order = anyresRows({ ...tiles, side });
  return { rows: order.length, grid: null, cut: { order, projected: side ** 2 * encodedImages(tiles) } };
}

/** `rows` of {@link rowsAfter}, without the order. */
export function countRowsAfter(shape: ImageShape, gridAfter: GridAfter): number {
  const { tiles } = shape;
  if (tiles === undefined) return gridAfter(shape.grid, shape.rows).rows;
  return anyresRowCount({ ...tiles, side: sideAfter(shape, gridAfter) });
}

/** Rows of one tile on each side, after the projector. */
function sideAfter({ rows, grid }: ImageShape, gridAfter: GridAfter): number {
  const after = gridAfter(grid, rows);
  const [height, width] = after.grid ?? [0, 0];
  if (height !== width || height * width !== after.rows) {
    throw new BasicError(
      "E_CONFIG",
      `Pictures are cut into tiles (anyres), whose rows must be a square grid after the projector, got ${after.rows} rows ` +
        `${after.grid === null ? "without a grid" : `of ${height} x ${width}`}. ` +
        'Use features without a class token and a projector that keeps the grid, or imageAspectRatio "pad".',
    );
  }
  return height;
}

/** Puts the orders of the pictures of a batch together; null where none is cut into tiles. */
export function arrangementOf(pictures: readonly PictureRows[]): RowArrangement | null {
  if (!pictures.some(({ cut }) => cut !== undefined)) return null;
  const offsets = new Int32Array(pictures.length + 1);
  for (const [i, { rows }] of pictures.entries()) offsets[i + 1] = (offsets[i] as number) + rows;
  const order = new Int32Array(offsets.at(-1) as number);
  let base = 0;
  for (const [i, { rows, cut }] of pictures.entries()) {
    const own = cut?.order ?? Int32Array.from({ length: rows }, (_, row) => row);
    order.set(
      own.map((row) => (row === NEWLINE_ROW ? row : base + row)),
      offsets[i],
    );
    base += cut?.projected ?? rows;
  }
  return { order, offsets };
}
