import { BasicError } from "@basic-mllm/core";

import { decodeImage, readFileSize, readImageSize } from "./decode.js";
import type { DecodeOptions } from "./image-format.js";
import type { Sample } from "./samples.js";
import { type ImageRoot, imageSourceOf } from "./sources/image-source.js";
import { openSamples, readAllSamples } from "./sources/open-samples.js";
import type { ImageSize } from "./tiles.js";

/** What a missing or broken picture does. */
export type ImagePolicy = "error" | "skip-and-count";

/** How {@link readDataset} reads. */
export interface DatasetOptions {
  /** Folder of the images, where they are files. Default: the folder of the data set. */
  readonly imageRoot?: string;
  /** Default `error`. */
  readonly onImageError?: ImagePolicy;
  /** Use the first n samples only. */
  readonly limit?: number;
}

/** Samples whose image files are all there. */
export interface Dataset {
  readonly samples: readonly Sample[];
  readonly imageRoot: ImageRoot;
  /** Samples left out, and the image that is missing. */
  readonly skipped: readonly { readonly id: string; readonly image: string }[];
}

/**
 * Reads the texts of a data set of any format ({@link openSamples}) and looks whether its images are there.
 *
 * @throws `BasicError` `E_DATA_EMPTY`, `E_DATA_FORMAT`; `E_IMAGE` under the policy `error`.
 */
export async function readDataset(path: string, options: DatasetOptions = {}): Promise<Dataset> {
  const { imageRoot: root } = options;
  const source = await openSamples(path, root === undefined ? {} : { imageRoot: root });
  const { imageRoot } = source;
  if (source.size === 0) throw noRecords(path);
  const all = await readAllSamples(source, options.limit);
  const missing = await missingImages(imageRoot, all);
  const absent = all.flatMap(({ id, images }) => {
    const image = images.find((name) => missing.has(name));
    return image === undefined ? [] : [{ id, image }];
  });
  const [first] = absent;
  if (first !== undefined && options.onImageError !== "skip-and-count") {
    throw new BasicError(
      "E_IMAGE",
      `sample "${first.id}" of ${path}: there is no image "${imageSourceOf(imageRoot).locate(first.image)}"; ` +
        `${absent.length} of ${all.length} samples miss theirs. ` +
        'Correct the image folder, or set onImageError to "skip-and-count".',
    );
  }
  const left = absent.length === 0 ? all : withoutImages({ samples: all }, missing).samples;
  checkLeft(path, all.length, left.length);
  return { samples: left, imageRoot, skipped: absent };
}

/** Leaves out the samples that show one of these images. */
export function withoutImages<Set extends { readonly samples: readonly Sample[] }>(
  dataset: Set,
  images: { has(image: string): boolean },
): Set {
  const samples = dataset.samples.filter((sample) => !sample.images.some((image) => images.has(image)));
  return { ...dataset, samples };
}

/** The image files of samples, each once, in order of appearance. */
export function imagesOf(samples: readonly Sample[]): readonly string[] {
  return [...new Set(samples.flatMap(({ images }) => images))];
}

/** Decodes every image once and names those that fail, with the reason. */
export async function brokenImages(
  imageRoot: ImageRoot,
  images: readonly string[],
  options: DecodeOptions = {},
): Promise<ReadonlyMap<string, string>> {
  const broken = new Map<string, string>();
  const source = imageSourceOf(imageRoot);
  await inGroups(images, async (image) => {
    try {
      await decodeImage(await source.bytes(image), image, options);
    } catch (error) {
      broken.set(image, error instanceof Error ? error.message : String(error));
    }
  });
  return broken;
}

/**
 * Width and height of images as they are shown. Of files the heads are read; pixels are not decoded.
 *
 * @throws `BasicError` `E_IMAGE` naming the first that is missing or broken.
 */
export async function readImageSizes(
  imageRoot: ImageRoot,
  images: readonly string[],
  options: DecodeOptions = {},
): Promise<ReadonlyMap<string, ImageSize>> {
  const sizes = new Map<string, ImageSize>();
  const source = imageSourceOf(imageRoot);
  await inGroups(images, async (image) => {
    const name = source.locate(image);
    const path = source.file(image);
    const size =
      path === null
        ? await readImageSize(await source.bytes(image), name, options)
        : await readFileSize(path, name, options);
    sizes.set(image, size);
  });
  return sizes;
}

/** The images of samples that are not there; a name outside of the folder is thrown. */
async function missingImages(imageRoot: ImageRoot, samples: readonly Sample[]): Promise<ReadonlySet<string>> {
  const missing = new Set<string>();
  const source = imageSourceOf(imageRoot);
  await inGroups(imagesOf(samples), async (image) => {
    if (!(await source.has(image))) missing.add(image);
  });
  return missing;
}

/** Runs a task on all items, some at a time. */
export async function inGroups<Item>(
  items: readonly Item[],
  task: (item: Item) => Promise<void>,
  size = 32,
): Promise<void> {
  for (let start = 0; start < items.length; start += size) {
    await Promise.all(items.slice(start, start + size).map(task));
  }
}

function checkLeft(file: string, all: number, left: number): void {
  if (left > 0) return;
  throw new BasicError(
    "E_DATA_EMPTY",
    `${file}: expected at least one sample whose image is there, got none of ${all}. Correct the image folder.`,
  );
}

/** The error of a data set without a record. */
export function noRecords(path: string): BasicError {
  return new BasicError(
    "E_DATA_EMPTY",
    `${path}: expected at least one record, got none. ` +
      'Give a JSON array of {"id", "image", "conversations"}, or one such record a line.',
  );
}
