import { createHash, randomBytes } from "node:crypto";
import { mkdirSync, readFileSync, renameSync, rmSync, writeFileSync } from "node:fs";
import { homedir } from "node:os";
import { join } from "node:path";

/** Bytes of the hash in front of an image. */
const HASH_BYTES = 32;

/** `BASIC_MLLM_CACHE`, or a folder of the user's. */
export function defaultImageFolder(): string {
  const { BASIC_MLLM_CACHE: chosen, XDG_CACHE_HOME: caches } = process.env;
  return join(chosen || join(caches || join(homedir(), ".cache"), "basic-mllm"), "cuda");
}

/** Compiled kernels in a folder, by the hash of everything that they depend on. Several processes may use it at once. */
export class ImageCache {
  readonly folder: string;
  /** Why the last image could not be written, if so: it is compiled again by the next process. */
  problem: string | undefined;

  constructor(folder: string) {
    this.folder = folder;
  }

  /** The image of a key; undefined where there is none, or one that is damaged. */
  read(key: string): Uint8Array | undefined {
    let file: Uint8Array;
    try {
      file = readFileSync(this.#pathOf(key));
    } catch {
      return undefined;
    }
    const image = file.subarray(HASH_BYTES);
    return sha256(image).equals(file.subarray(0, HASH_BYTES)) ? image : undefined;
  }

  /** Keeps an image: whole or not at all. */
  write(key: string, image: Uint8Array): void {
    const temporary = `${this.#pathOf(key)}.${process.pid}-${randomBytes(4).toString("hex")}`;
    try {
      mkdirSync(this.folder, { recursive: true });
      writeFileSync(temporary, Buffer.concat([sha256(image), image]));
      renameSync(temporary, this.#pathOf(key));
    } catch (error) {
      this.problem = error instanceof Error ? error.message : String(error);
      removeIfThere(temporary);
    }
  }

  /** Forgets an image. */
  remove(key: string): void {
    removeIfThere(this.#pathOf(key));
  }

  #pathOf(key: string): string {
    return join(this.folder, key);
  }
}

/** A file that cannot be removed is not ours to worry about: images are checked when they are read. */
function removeIfThere(file: string): void {
  try {
    rmSync(file, { force: true });
  } catch {
    // Its folder is a file, or may not be written.
  }
}

/** A key out of everything that an image depends on. */
export function keyOf(parts: readonly unknown[]): string {
  return sha256(Buffer.from(JSON.stringify(parts))).toString("hex");
}

function sha256(bytes: Uint8Array): Buffer {
  return createHash("sha256").update(bytes).digest();
}
