import { access, readFile } from "node:fs/promises";
import { dirname, isAbsolute, join, resolve } from "node:path";

import { BasicError } from "@basic-mllm/core";

import { decodeImage, readImageBytes } from "./decode.js";
import { parseSamples, type Sample } from "./samples.js";

/** What a missing or broken picture does. */
export type ImagePolicy = "error" | "skip-and-count";

/** How {@link readDataset} reads. */
export interface DatasetOptions {
  /** Folder of the images. Default: the folder of the file. */
  readonly imageRoot?: string;
  /** Default `error`. */
  readonly onImageError?: ImagePolicy;
  /** Use the first n samples only. */
  readonly limit?: number;
}

/** Samples whose image files are all there. */
export interface Dataset {
  readonly samples: readonly Sample[];
  readonly imageRoot: string;
  /** Samples left out, and the image that is missing. */
  readonly skipped: readonly { readonly id: string; readonly image: string }[];
}

/**
 * Reads a LLaVA data set and looks whether its images are there.
 *
 * @throws `BasicError` `E_DATA_EMPTY`, `E_DATA_FORMAT`; `E_IMAGE` under the policy `error`.
 */
export async function readDataset(file: string, options: DatasetOptions = {}): Promise<Dataset> {
  const imageRoot = options.imageRoot ?? dirname(file);
  const all = parseSamples(await readText(file), file).slice(0, options.limit);
  const missing = await missingImages(imageRoot, all);
  const absent = all.flatMap(({ id, images }) => {
    const image = images.find((name) => missing.has(name));
    return image === undefined ? [] : [{ id, image }];
  });
  const [first] = absent;
  if (first !== undefined && options.onImageError !== "skip-and-count") {
    throw new BasicError(
      "E_IMAGE",
      `sample "${first.id}" of ${file}: there is no image "${join(imageRoot, first.image)}"; ` +
        `${absent.length} of ${all.length} samples miss theirs. ` +
        'Correct the image folder, or set onImageError to "skip-and-count".',
    );
  }
  const left = absent.length === 0 ? all : withoutImages({ samples: all }, missing).samples;
  checkLeft(file, all.length, left.length);
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
  imageRoot: string,
  images: readonly string[],
): Promise<ReadonlyMap<string, string>> {
  const broken = new Map<string, string>();
  await inGroups(images, async (image) => {
    try {
      await decodeImage(await readImageBytes(join(imageRoot, image)), image);
    } catch (error) {
      broken.set(image, error instanceof Error ? error.message : String(error));
    }
  });
  return broken;
}

async function missingImages(imageRoot: string, samples: readonly Sample[]): Promise<ReadonlySet<string>> {
  const missing = new Set<string>();
  await inGroups(imagesOf(samples), async (image) => {
    await access(join(imageRoot, image)).catch(() => missing.add(image));
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

async function readText(file: string): Promise<string> {
  try {
    return await readFile(file, "utf8");
  } catch (cause) {
    throw new BasicError(
      "E_DATA_FORMAT",
      `data set ${file}: expected a JSON file, and it cannot be read. ` +
        (isAbsolute(file)
          ? "Check the path."
          : `Check the path: it counts from the current folder (here ${resolve(file)}), not from that of a recipe.`),
      { cause },
    );
  }
}
