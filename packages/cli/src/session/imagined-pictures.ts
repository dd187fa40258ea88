import type { HostVisualRows, ImageBatch } from "@basic-mllm/core";
import { createPixelStore, type PixelStoreOptions, type VisualStore } from "@basic-mllm/data";

/** What {@link imaginedPictures} stands for: channels of features, or the side of square pictures in pixels. */
export type ImaginedPictures = Pick<PixelStoreOptions, "imageRoot" | "processor" | "shape" | "sizes"> &
  ({ readonly width: number } | { readonly imageSize: number });

/** Features or pixels of pictures that nobody opens, all zero, for a rehearsal: nothing is encoded, nothing is kept. */
export function imaginedPictures(options: ImaginedPictures): VisualStore {
  const { shape } = createPixelStore(options);
  const encodedOf = (image: string) => {
    const { rows, grid, tiles } = shape(image);
    const count = tiles === undefined ? 1 : 1 + tiles.grid[0] * tiles.grid[1];
    return Array.from({ length: count }, () => ({ rows, grid }));
  };
  return {
    shape,
    read: async (images) => {
      const encoded = images.flatMap(encodedOf);
      return "width" in options
        ? emptyFeatures(encoded, options.width)
        : emptyPixels(encoded.length, options.imageSize);
    },
  };
}

type Encoded = { readonly rows: number; readonly grid: HostVisualRows["grids"][number] };

function emptyFeatures(encoded: readonly Encoded[], width: number): HostVisualRows {
  const offsets = new Int32Array(encoded.length + 1);
  for (const [i, { rows }] of encoded.entries()) offsets[i + 1] = (offsets[i] as number) + rows;
  const values = new Float32Array((offsets.at(-1) as number) * width);
  return { values, width, offsets, grids: encoded.map(({ grid }) => grid) };
}

function emptyPixels(count: number, side: number): ImageBatch {
  return { pixels: new Float32Array(count * side * side * 3), shape: [count, side, side, 3] };
}
