import { defineEncoder } from "@basic-mllm/core";

/** The mean colour of a picture: one row of three features. */
export const createMeanColour = () => ({
  id: "mean-colour-1",
  width: 3,
  imageSize: 32, // pictures come as squares of this side, each channel from -1 to 1
  features: async ({ pixels, shape: [images, height, width] }) => {
    const values = new Float32Array(images * 3);
    for (let i = 0; i < pixels.length; i++) {
      const image = Math.floor(i / (height * width * 3));
      values[image * 3 + (i % 3)] += pixels[i] / (height * width);
    }
    const offsets = Int32Array.from({ length: images + 1 }, (_, i) => i);
    return { values, width: 3, offsets, grids: Array.from({ length: images }, () => [1, 1]) };
  },
});

defineEncoder("mean-colour", createMeanColour);
