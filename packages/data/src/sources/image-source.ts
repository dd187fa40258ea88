import { access } from "node:fs/promises";
import { isAbsolute, join, normalize, sep } from "node:path";

import { BasicError } from "@basic-mllm/core";

import { readImageBytes } from "../decode.js";

/** Bytes of images by the names that samples give them: files of a folder, members of archives, cells of tables. */
export interface ImageSource {
  /** Where an image lies, for messages. */
  locate(image: string): string;
  /** Path of the file that is this image; null inside of an archive. */
  file(image: string): string | null;
  /** Whether there is such an image. */
  has(image: string): Promise<boolean>;
  /** @throws `BasicError` `E_IMAGE` naming the image that is missing or cannot be read. */
  bytes(image: string): Promise<Uint8Array>;
}

/** Where the images of samples lie: a folder, or a source of another kind. */
export type ImageRoot = string | ImageSource;

/** The images of a folder as a source; another source passes as it is. */
export function imageSourceOf(root: ImageRoot): ImageSource {
  if (typeof root !== "string") return root;
  return {
    locate: (image) => join(root, image),
    file: (image) => inside(root, image),
    has: async (image) => {
      const path = inside(root, image);
      return access(path).then(
        () => true,
        () => false,
      );
    },
    bytes: async (image) => readImageBytes(inside(root, image)),
  };
}

/** The path of an image; data that was downloaded must not reach files outside of its folder. */
function inside(root: string, image: string): string {
  const path = normalize(image);
  if (!isAbsolute(path) && path !== ".." && !path.startsWith(`..${sep}`) && !image.includes("\0")) {
    return join(root, path);
  }
  throw new BasicError(
    "E_IMAGE",
    `image ${JSON.stringify(image)}: expected a name inside of the image folder ${root}, got one outside of it. ` +
      "Give a folder that holds all images, and names relative to it.",
  );
}
