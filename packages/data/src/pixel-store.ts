import { join } from "node:path";

import { BasicError } from "@basic-mllm/core";

import { decodeImage, readImageBytes } from "./decode.js";
import { fitImage, type ImageProcessor, toImageBatch } from "./image-processor.js";
import type { ImageShape, VisualStore } from "./visual-store.js";

/** What {@link createPixelStore} reads. */
export interface PixelStoreOptions {
  readonly imageRoot: string;
  readonly processor: ImageProcessor;
  /** Rows that the encoder makes of an image. */
  readonly shape: ImageShape;
}

/**
 * Pixels of image files, for an encoder that trains.
 *
 * @throws `BasicError` from `read`: `E_IMAGE` naming a missing or broken file.
 */
export function createPixelStore({ imageRoot, processor, shape }: PixelStoreOptions): VisualStore {
  return {
    shape: () => shape,
    read: async (images) => {
      const decoded = await Promise.all(images.map((image) => openImage(join(imageRoot, image), processor)));
      return toImageBatch(decoded, processor);
    },
  };
}

/** Reads, decodes and fits one image file. */
export async function openImage(
  path: string,
  processor: ImageProcessor,
): Promise<ReturnType<typeof fitImage>> {
  const image = await decodeImage(await readImageBytes(path), path);
  if (image.width === 0 || image.height === 0) {
    throw new BasicError("E_IMAGE", `image "${path}": it has no pixels. Replace the file.`);
  }
  return fitImage(image, processor);
}
