import { BasicError } from "../errors.js";
import type { VisualSpan } from "../losses/visual-loss.js";
import type { RowArrangement } from "../models/image-newline.js";
import type { HostVisualRows, ImageBatch, ImageSpan, PackedRows, VisualRows } from "../models/interfaces.js";
import type { BatchWords } from "./diagnostics.js";

/** A micro-batch of the multimodal objective. */
export interface VlmBatch {
  readonly packed: PackedRows;
  /** Pixels, or features that were computed before; null where no sample has an image. */
  readonly visual: HostVisualRows | ImageBatch | null;
  /** Where pictures are cut into tiles: `visual` holds all tiles, and this the order of their projected rows. */
  readonly arrangement?: RowArrangement;
  /** For messages. */
  readonly sampleIds: readonly string[];
  /** For the meaningful and the strict share. */
  readonly words?: BatchWords;
}

/** Images of a packed batch in numbers of visual rows, which follow each other without gaps. */
export function visualSpans(images: readonly ImageSpan[]): readonly VisualSpan[] {
  let start = 0;
  return images.map(({ sample, length }) => {
    const span = { sample, start, length };
    start += length;
    return span;
  });
}

/** Number of samples with at least one image. */
export function samplesWithImage({ images }: PackedRows): number {
  return new Set(images.map(({ sample }) => sample)).size;
}

/**
 * Checks that the projector gave as many rows per image as the packer left room for.
 *
 * @throws {@link BasicError} `E_IMAGE_TOKENS` naming the first image that differs.
 */
export function checkVisualRows(projected: VisualRows | null, { packed, sampleIds }: VlmBatch): void {
  const { images } = packed;
  const given = projected === null ? 0 : projected.offsets.length - 1;
  if (given !== images.length) {
    throw new BasicError(
      "E_IMAGE_TOKENS",
      `The packed batch has places for ${images.length} images, but ${given} were given. ` +
        "Pass one image per <image> mark, in order of appearance, and `visual: null` for text alone.",
    );
  }
  for (const [i, { sample, length }] of images.entries()) {
    const offsets = projected?.offsets ?? new Int32Array();
    const rows = (offsets[i + 1] as number) - (offsets[i] as number);
    if (rows !== length) {
      throw new BasicError(
        "E_IMAGE_TOKENS",
        `Image ${i} (sample "${sampleIds[sample] ?? sample}") has ${length} places in the packed batch, ` +
          `but the projector gave ${rows} visual rows. Pack with \`gridAfter\` of the same projector and image size.`,
      );
    }
  }
}
