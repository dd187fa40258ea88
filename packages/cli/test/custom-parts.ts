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

/** The same part as a stranger would write it: behaves alike, and is no instance of our class. */
export function notOurs<Part extends object>(part: Part): Part {
  return new Proxy(part, {
    getPrototypeOf: () => null,
    get: (target, key) => {
      const value: unknown = Reflect.get(target, key, target);
      return typeof value === "function" ? value.bind(target) : value;
    },
  });
}
