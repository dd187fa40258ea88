import { mkdir, mkdtemp, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { dirname, join } from "node:path";

import type { FeatureSource, HostVisualRows, ImageBatch } from "@basic-mllm/core";
import sharp from "sharp";

/** A temporary folder with some 4 × 4 pictures, each of one colour. */
export async function pictureFolder(
  colors: Readonly<Record<string, readonly [number, number, number]>>,
): Promise<{ folder: string; remove: () => Promise<void> }> {
  const folder = await mkdtemp(join(tmpdir(), "basic-mllm-data-"));
  for (const [name, [r, g, b]] of Object.entries(colors)) {
    await mkdir(dirname(join(folder, name)), { recursive: true });
    const picture = sharp({ create: { width: 4, height: 4, channels: 3, background: { r, g, b } } });
    await writeFile(join(folder, name), await picture.png().toBuffer());
  }
  return { folder, remove: () => rm(folder, { recursive: true, force: true }) };
}

/** Features of 4 patches: mean red and mean green of each. Counts the images it has seen. */
export function patchMeans(id = "means"): FeatureSource & { readonly seen: { images: number } } {
  const seen = { images: 0 };
  return {
    id,
    width: 2,
    seen,
    features: async (batch: ImageBatch): Promise<HostVisualRows> => {
      const [images] = batch.shape;
      seen.images += images;
      const values = new Float32Array(images * 4 * 2);
      for (let row = 0; row < images * 4; row++) {
        const corner = Math.floor(row / 4) * 48;
        values[row * 2] = batch.pixels[corner] as number;
        values[row * 2 + 1] = (batch.pixels[corner + 1] as number) + (row % 4);
      }
      const offsets = Int32Array.from({ length: images + 1 }, (_, i) => i * 4);
      return { values, width: 2, offsets, grids: Array.from({ length: images }, () => [2, 2] as const) };
    },
  };
}
