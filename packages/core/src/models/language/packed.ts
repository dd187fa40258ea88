import { BasicError } from "../../errors.js";
import type { ImageSpan, PackedRows } from "../interfaces.js";

/** Host-side facts about the visual rows of a packed batch. R packed rows, N visual rows. */
export interface VisualPlan {
  /** `[N]`: the packed row of each visual row. */
  readonly rows: Int32Array;
  /** `[R]`: the first row whose attention counts for a visual row; R = never (all other rows too). */
  readonly receiveFrom: Int32Array;
  /** `[N]`: how many text rows count for each visual row. */
  readonly counts: Int32Array;
}

/**
 * Finds the visual rows and who looks at them: the text rows of the same sample after the end of the row's
 * own image (method.md, 4).
 */
export function planVisualRows(packed: PackedRows): VisualPlan {
  const rowsInAll = packed.ids.length;
  const visual = packed.images.reduce((sum, image) => sum + image.length, 0);
  const rows = new Int32Array(visual);
  const counts = new Int32Array(visual);
  const receiveFrom = new Int32Array(rowsInAll).fill(rowsInAll);
  let n = 0;
  for (const image of packed.images) {
    const end = image.start + image.length;
    const count = textRowsAfter(packed, image);
    for (let row = image.start; row < end; row++) {
      rows[n] = row;
      counts[n] = count;
      if (count > 0) receiveFrom[row] = end;
      n++;
    }
  }
  return { rows, receiveFrom, counts };
}

function textRowsAfter(packed: PackedRows, image: ImageSpan): number {
  const start = image.start + image.length;
  const end = packed.offsets[image.sample + 1] ?? start;
  return packed.countsAsText.subarray(start, end).reduce((sum, counts) => sum + counts, 0);
}

/**
 * Checks a packed batch before any device work.
 *
 * @param visualRows - Rows of the visual embeddings given, 0 for none.
 * @throws {@link BasicError} `E_SHAPE`, `E_INDEX_RANGE`, or `E_IMAGE_TOKENS` when the batch asks for other
 *   visual rows than are given.
 */
export function checkPackedRows(packed: PackedRows, vocabularySize: number, visualRows: number): void {
  checkLengths(packed);
  const expected = packed.images.reduce((sum, image) => sum + image.length, 0);
  if (expected !== visualRows) {
    throw new BasicError(
      "E_IMAGE_TOKENS",
      `forward: the batch has places for ${expected} visual rows, but ${visualRows} visual embeddings were given. ` +
        "Pack with the same number of rows per image as the projector gives.",
    );
  }
  const order = packed.images.flatMap(({ start, length }) =>
    Array.from({ length }, (_, i) => packed.ids[start + i]),
  );
  const misplaced = order.findIndex((id, n) => id !== -1 - n);
  const negative = packed.ids.reduce((sum, id) => sum + (id < 0 ? 1 : 0), 0);
  if (misplaced >= 0 || negative !== expected) {
    throw new BasicError(
      "E_IMAGE_TOKENS",
      "forward: `ids` must hold -1, -2, ... at the rows of `images`, in order, and nowhere else. Build batches with the packer.",
    );
  }
  const large = packed.ids.find((id) => id >= vocabularySize);
  if (large !== undefined) {
    throw new BasicError(
      "E_INDEX_RANGE",
      `forward: token id ${large} is not in the vocabulary of ${vocabularySize}. Use the tokenizer that belongs to this model.`,
    );
  }
}

function checkLengths({ ids, offsets, positions, countsAsText }: PackedRows): void {
  const rows = ids.length;
  for (const [name, array] of Object.entries({ positions, countsAsText })) {
    if (array.length !== rows) {
      throw new BasicError(
        "E_SHAPE",
        `forward: \`ids\` has ${rows} rows but \`${name}\` has ${array.length}. Build batches with the packer.`,
      );
    }
  }
  const ordered = offsets.every((offset, i) => i === 0 || offset >= (offsets[i - 1] ?? 0));
  if (rows === 0 || offsets[0] !== 0 || offsets.at(-1) !== rows || !ordered) {
    throw new BasicError(
      "E_SHAPE",
      `forward: \`offsets\` must rise from 0 to the number of rows (${rows}, at least 1), got [${offsets.join(", ")}]. Build batches with the packer.`,
    );
  }
}
