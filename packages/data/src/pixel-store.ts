import { BasicError } from "@basic-mllm/core";

import { decodeImage, readImageBytes } from "./decode.js";
import type { ImagePool } from "./image-pool.js";
import { fitImage, type ImageProcessor, toImageBatch } from "./image-processor.js";
import type { RgbImage } from "./resample.js";
import { type ImageRoot, imageSourceOf } from "./sources/image-source.js";
import type { ImageShape, VisualStore } from "./visual-store.js";

/** What {@link createPixelStore} reads. */
export interface PixelStoreOptions {
  readonly imageRoot: ImageRoot;
  readonly processor: ImageProcessor;
  /** Rows that the encoder makes of an image. */
  readonly shape: ImageShape;
  /** Threads that decode and resize. Default: the main thread does. */
  readonly pool?: ImagePool;
}

/**
 * Pixels of images, for an encoder that trains.
 *
 * @throws `BasicError` from `read`: `E_IMAGE` naming a missing or broken image.
 */
export function createPixelStore(options: PixelStoreOptions): VisualStore {
  const { imageRoot, processor, shape, pool } = options;
  const source = imageSourceOf(imageRoot);
  const open = async (image: string): Promise<RgbImage> => {
    const name = source.locate(image);
    const path = source.file(image);
    if (pool !== undefined)
      return pool.open({ name, content: path ?? (await source.bytes(image)), processor });
    return openContent({ name, content: await source.bytes(image), processor });
  };
  return {
    shape: () => shape,
    read: async (images) => toImageBatch(await Promise.all(images.map(open)), processor),
  };
}

/** An image to open. */
export interface ImageTask {
  /** For messages. */
  readonly name: string;
  /** The bytes, or the path of the file that holds them. */
  readonly content: Uint8Array | string;
  readonly processor: ImageProcessor;
}

/** Reads, decodes and fits one image. */
export async function openContent({ name, content, processor }: ImageTask): Promise<RgbImage> {
  const bytes = typeof content === "string" ? await readImageBytes(content) : content;
  const image = await decodeImage(bytes, name);
  if (image.width === 0 || image.height === 0) {
    throw new BasicError("E_IMAGE", `image "${name}": it has no pixels. Replace the file.`);
  }
  return fitImage(image, processor);
}

/** Reads, decodes and fits one image file. */
export async function openImage(path: string, processor: ImageProcessor): Promise<RgbImage> {
  return openContent({ name: path, content: path, processor });
}
