import type { PackedRows } from "@basic-mllm/core";

/** A padded batch as the goldens store it. */
export interface PaddedBatch {
  /** `[B, S]`. */
  readonly ids: Int32Array;
  /** `[B, S]`, 1 where the row is not padding. */
  readonly mask: ArrayLike<number>;
  /** `[B, S]`, not shifted; null where nothing is trained. */
  readonly labels: Int32Array | null;
  readonly samples: number;
  readonly length: number;
}

/** Which ids are images, and how many rows each image has. */
export interface ImageMarks {
  readonly token: number;
  readonly rows: number;
}

/** A packed batch and the padded row that each packed row came from. */
export interface PackedBatch {
  readonly packed: PackedRows;
  readonly paddedRows: readonly number[];
}

/** Drops padding, shifts labels, and numbers visual rows, as the packer does. */
export function packPadded(batch: PaddedBatch, marks: ImageMarks | null): PackedBatch {
  const { ids, mask, labels, samples, length } = batch;
  const paddedRows = Array.from({ length: samples * length }, (_, row) => row).filter(
    (row) => mask[row] === 1,
  );
  const sampleOf = paddedRows.map((row) => Math.floor(row / length));
  const offsets = Int32Array.from(
    { length: samples + 1 },
    (_, b) => sampleOf.filter((sample) => sample < b).length,
  );
  const isImage = paddedRows.map((row) => marks !== null && ids[row] === marks.token);
  let visual = 0;
  const packed: PackedRows = {
    ids: Int32Array.from(paddedRows, (row, i) => (isImage[i] ? -1 - visual++ : (ids[row] as number))),
    offsets,
    positions: Int32Array.from(sampleOf, (sample, i) => i - (offsets[sample] as number)),
    images: imageSpans(isImage, sampleOf, marks?.rows ?? 1),
    countsAsText: Int32Array.from(isImage, (image) => (image ? 0 : 1)),
    labels: Int32Array.from(paddedRows, (row, i) =>
      sampleOf[i + 1] === sampleOf[i] ? (labels?.[row + 1] ?? -100) : -100,
    ),
  };
  return { packed, paddedRows };
}

/** Every `rows` image rows are one image. */
function imageSpans(
  isImage: readonly boolean[],
  sampleOf: readonly number[],
  rows: number,
): PackedRows["images"] {
  const places = isImage.flatMap((image, i) => (image ? [i] : []));
  return places
    .filter((_, n) => n % rows === 0)
    .map((start) => ({ sample: sampleOf[start] as number, start, length: rows }));
}

/** Packed rows of width `width` back in their padded places; padding is zero. */
export function unpackRows(
  values: ArrayLike<number>,
  paddedRows: readonly number[],
  size: number,
): Float32Array {
  const padded = new Float32Array(size);
  const width = values.length / paddedRows.length;
  for (const [i, row] of paddedRows.entries()) {
    for (let c = 0; c < width; c++) padded[row * width + c] = values[i * width + c] as number;
  }
  return padded;
}

/** `[B, 3, H, W]` to `[B, H, W, 3]`. */
export function channelsLast(
  pixels: Float32Array,
  shape: readonly number[],
): { readonly pixels: Float32Array; readonly shape: readonly [number, number, number, 3] } {
  const [images, , height, width] = shape as [number, number, number, number];
  const plane = height * width;
  const values = new Float32Array(pixels.length);
  for (let image = 0; image < images; image++) {
    for (let i = 0; i < plane; i++) {
      for (let c = 0; c < 3; c++) {
        values[(image * plane + i) * 3 + c] = pixels[(image * 3 + c) * plane + i] as number;
      }
    }
  }
  return { pixels: values, shape: [images, height, width, 3] };
}
