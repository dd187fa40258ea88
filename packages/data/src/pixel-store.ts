import { BasicError } from "@basic-mllm/core";

import { decodeImage, readImageBytes } from "./decode.js";
import type { ImagePool } from "./image-pool.js";
import { type ImageProcessor, toImageBatch } from "./image-processor.js";
import { type ImageRoot, imageSourceOf } from "./sources/image-source.js";
import { type FittedPicture, fitPicture, type ImageSize, tilesOf } from "./tiles.js";
import type { ImageShape, VisualStore } from "./visual-store.js";

/** What {@link createPixelStore} reads. */
export interface PixelStoreOptions {
  readonly imageRoot: ImageRoot;
  readonly processor: ImageProcessor;
  /** Rows that the encoder makes of an image. */
  readonly shape: ImageShape;
  /** Sizes of the pictures, where the processor cuts them into tiles ({@link readImageSizes}). */
  readonly sizes?: ReadonlyMap<string, ImageSize>;
  /** Threads that decode and resize. Default: the main thread does. */
  readonly pool?: ImagePool;
}

/**
 * Pixels of images, for an encoder that trains.
 *
 * @throws `BasicError` from `read`: `E_IMAGE` naming a missing or broken image; from `shape`: `E_CONFIG` for a picture
 *   that is cut into tiles and whose size is not among `sizes`.
 */
export function createPixelStore(options: PixelStoreOptions): VisualStore {
  const { imageRoot, processor, shape, sizes, pool } = options;
  const source = imageSourceOf(imageRoot);
  const open = async (image: string): Promise<FittedPicture> => {
    const name = source.locate(image);
    const path = source.file(image);
    if (pool !== undefined)
      return pool.open({ name, content: path ?? (await source.bytes(image)), processor });
    return openContent({ name, content: await source.bytes(image), processor });
  };
  return {
    shape: (image) => {
      if (processor.tiles === undefined) return shape;
      const size = sizes?.get(image);
      if (size === undefined) throw unknownSize(image);
      return { ...shape, tiles: tilesOf(size, processor.tiles) };
    },
    read: async (images) => {
      const pictures = await Promise.all(images.map(open));
      return toImageBatch(
        pictures.flatMap((picture) => picture.images),
        processor,
      );
    },
  };
}

function unknownSize(image: string): BasicError {
  return new BasicError(
    "E_CONFIG",
    `image "${image}": how it is cut into tiles follows from its size, which was not given. ` +
      "Pass `sizes` of all images (readImageSizes) to createPixelStore.",
  );
}

/** A picture to open. */
export interface ImageTask {
  /** For messages. */
  readonly name: string;
  /** The bytes, or the path of the file that holds them. */
  readonly content: Uint8Array | string;
  readonly processor: ImageProcessor;
}

/** Reads, decodes and fits one picture. */
export async function openContent({ name, content, processor }: ImageTask): Promise<FittedPicture> {
  const bytes = typeof content === "string" ? await readImageBytes(content) : content;
  return fitPicture(await decodeImage(bytes, name, processor.decode), processor);
}

/**
 * Reads, decodes and fits one picture file.
 *
 * @throws `BasicError` `E_IMAGE` naming it.
 */
export async function openPicture(path: string, processor: ImageProcessor): Promise<FittedPicture> {
  return openContent({ name: path, content: path, processor });
}
