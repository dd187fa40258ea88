import { BasicError, NEWLINE_ROW } from "@basic-mllm/core";

import { fitImage, type ImageProcessor, placeImage, type TileSettings } from "./image-processor.js";
import { cutRegion, type RgbImage, resizeImage } from "./resample.js";

/** Height and width in pixels. */
export interface ImageSize {
  readonly height: number;
  readonly width: number;
}

/** How a picture is cut. */
export interface PictureTiles {
  /** Lines and columns of tiles. */
  readonly grid: readonly [rows: number, columns: number];
  /** Of the picture before: what {@link anyresRows} needs to leave padding out. */
  readonly original: ImageSize;
}

/** A picture as LLaVA-1.6 shows it to the encoder. */
export interface FittedTiles extends PictureTiles {
  /** The whole picture first, then its tiles, line by line. */
  readonly images: readonly RgbImage[];
}

/** A picture as its processor shows it to the encoder: one image, or several where it is cut into tiles. */
export interface FittedPicture {
  readonly images: readonly RgbImage[];
  readonly tiles?: PictureTiles;
}

/** Fits a picture as its processor says. */
export function fitPicture(image: RgbImage, processor: ImageProcessor): FittedPicture {
  if (processor.tiles === undefined) return { images: [fitImage(image, processor)] };
  const { images, ...tiles } = fitTiles(image, processor);
  return { images, tiles };
}

/** How a picture of this size is cut. */
export function tilesOf({ height, width }: ImageSize, settings: TileSettings): PictureTiles {
  const target = bestResolution({ height, width }, settings);
  const grid = [target.height / settings.size, target.width / settings.size] as const;
  return { grid, original: { height, width } };
}

/** Images that the encoder sees of a picture: itself, and its tiles. */
export function encodedImages(tiles: PictureTiles | undefined): number {
  return tiles === undefined ? 1 : 1 + tiles.grid[0] * tiles.grid[1];
}

/**
 * Cuts a picture into tiles (`anyres`): resized to fit the best of the pinpoints with its ratio kept, on black, cut;
 * and before them the whole picture squeezed into one square. Source: transformers 5.23, `LlavaNextImageProcessorPil`.
 *
 * @throws `BasicError` `E_CONFIG` for a processor without tiles.
 */
export function fitTiles(image: RgbImage, processor: ImageProcessor): FittedTiles {
  const { tiles, ...whole } = processor;
  if (tiles === undefined || whole.resize === null) {
    throw new BasicError(
      "E_CONFIG",
      "fitTiles: expected a processor that cuts pictures into tiles, got one that makes a single image. " +
        'Call fitImage, or read the processor with { imageAspectRatio: "anyres" }.',
    );
  }
  const { resize, filter } = whole;
  const {
    shortestEdge: side = 0,
    height = side,
    width = side,
  } = resize as Partial<ImageSize & { readonly shortestEdge: number }>;
  const cut = tilesOf(image, tiles);
  const { grid } = cut;
  const target = { height: grid[0] * tiles.size, width: grid[1] * tiles.size };
  const inner = sizeInside(image, target);
  const canvas = placeImage(resizeImage(image, { ...inner, filter }), {
    ...target,
    left: Math.floor((target.width - inner.width) / 2),
    top: Math.floor((target.height - inner.height) / 2),
    fill: [0, 0, 0],
  });
  const parts = Array.from({ length: grid[0] * grid[1] }, (_, i) =>
    cutRegion(canvas, {
      left: (i % grid[1]) * tiles.size,
      top: Math.floor(i / grid[1]) * tiles.size,
      width: tiles.size,
      height: tiles.size,
    }),
  );
  const images = [resizeImage(image, { height, width, filter }), ...parts];
  return { images: images.map((part) => fitImage(part, { ...whole, pad: false })), ...cut };
}

/** The pinpoint that keeps most of a picture's pixels and, among equals, wastes least; the first of those. */
export function bestResolution({ height, width }: ImageSize, { pinpoints }: TileSettings): ImageSize {
  let best = { height: 0, width: 0, kept: -1, wasted: Number.POSITIVE_INFINITY };
  for (const [high, wide] of pinpoints) {
    const scale = Math.min(wide / width, high / height);
    const scaled = Math.trunc(width * scale) * Math.trunc(height * scale);
    const kept = Math.min(scaled, width * height);
    const wasted = high * wide - kept;
    if (kept > best.kept || (kept === best.kept && wasted < best.wasted)) {
      best = { height: high, width: wide, kept, wasted };
    }
  }
  return { height: best.height, width: best.width };
}

/** The size of a picture that just fits into another, its ratio kept. */
function sizeInside({ height, width }: ImageSize, target: ImageSize): ImageSize {
  const across = target.width / width;
  const down = target.height / height;
  return across < down
    ? { width: target.width, height: Math.min(Math.ceil(height * across), target.height) }
    : { height: target.height, width: Math.min(Math.ceil(width * down), target.width) };
}

/** What {@link anyresRows} needs to know about a picture and its encoder. */
export interface AnyresOptions extends PictureTiles {
  /** Feature rows of one tile on each side: image size / patch size of the encoder. */
  readonly side: number;
}

/**
 * The order in which the feature rows of a picture go to the language model: all rows of the whole picture, then those
 * of the tiles as lines of one large picture without the padding, each line followed by {@link NEWLINE_ROW}.
 *
 * A row r of tile t (0 = the whole picture) is `t · side² + r`: the encoder's rows of {@link FittedTiles} one after
 * the other. Source: transformers 5.23, `pack_image_features` and `unpad_image` of LLaVA-NeXT.
 */
export function anyresRows({ original, grid, side }: AnyresOptions): Int32Array {
  const gridColumns = grid[1];
  const { top, left, lines, columns } = unpadded({ original, grid, side });
  const base = side * side;
  const order = new Int32Array(base + lines * (columns + 1));
  for (let i = 0; i < base; i++) order[i] = i;
  let to = base;
  for (let y = top; y < top + lines; y++) {
    for (let x = left; x < left + columns; x++) {
      const tile = 1 + Math.floor(y / side) * gridColumns + Math.floor(x / side);
      order[to++] = tile * base + (y % side) * side + (x % side);
    }
    order[to++] = NEWLINE_ROW;
  }
  return order;
}

/** How many rows {@link anyresRows} gives. */
export function anyresRowCount(options: AnyresOptions): number {
  const { lines, columns } = unpadded(options);
  return options.side ** 2 + lines * (columns + 1);
}

/** Lines and columns of features that show the picture, and where they begin. */
function unpadded({ original, grid, side }: AnyresOptions) {
  const [height, width] = [grid[0] * side, grid[1] * side];
  const { top, left } = paddingOf(original, { height, width });
  return { top, left, lines: Math.max(0, height - 2 * top), columns: Math.max(0, width - 2 * left) };
}

/** Rows of features above and columns left of the picture; as many are below and right. */
function paddingOf(original: ImageSize, { height, width }: ImageSize): { top: number; left: number } {
  if (original.width / original.height > width / height) {
    const inner = wholePart(original.height * (width / original.width));
    return { top: Math.floor((height - inner) / 2), left: 0 };
  }
  const inner = wholePart(original.width * (height / original.height));
  return { top: 0, left: Math.floor((width - inner) / 2) };
}

/** The whole part after rounding to 7 decimals: 23.99999999 counts as 24. */
function wholePart(value: number): number {
  return Math.trunc(Number(value.toFixed(7)));
}
