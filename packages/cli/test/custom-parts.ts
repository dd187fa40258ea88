// Parts as a user's plugin would define them.
import type { FeatureSource } from "@basic-mllm/core";

/** The mean colour of each picture as one row. Notes the shapes of what it is shown. */
export function meanColour({ imageSize, seen }: { imageSize?: number; seen: number[][] }): FeatureSource {
  return {
    id: "mean-colour-1",
    width: 3,
    ...(imageSize !== undefined && { imageSize }),
    features: async ({ pixels, shape }) => {
      seen.push([...shape]);
      const [images, height, width] = shape;
      const values = new Float32Array(images * 3);
      for (const [i, value] of pixels.entries()) {
        const place = Math.floor(i / (height * width * 3)) * 3 + (i % 3);
        values[place] = (values[place] ?? 0) + value / (height * width);
      }
      const offsets = Int32Array.from({ length: images + 1 }, (_, i) => i);
      return { values, width: 3, offsets, grids: Array.from({ length: images }, () => [1, 1] as const) };
    },
  };
}
