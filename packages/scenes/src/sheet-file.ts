import { randomUUID } from "node:crypto";
import { readFile, rename, rm, writeFile } from "node:fs/promises";

import type { Concept } from "./concepts.js";
import { BYTES_PER_SPRITE, SPRITES_PER_CONCEPT, type SpriteSheet } from "./sprite-sheet.js";
import type { ArtSource } from "./styles.js";

const MAGIC = "basic-mllm sprites\n";

interface Header {
  readonly concepts: readonly Concept[];
  readonly sources: readonly ArtSource[];
}

/** Writes a sheet to a cache file, under a temporary name first. */
export async function writeSheet(path: string, { concepts, sources, pixels }: SpriteSheet): Promise<void> {
  const header = Buffer.from(JSON.stringify({ concepts, sources } satisfies Header));
  const start = Buffer.from(`${MAGIC}${header.length}\n`);
  const temporary = `${path}.${randomUUID()}`;
  try {
    await writeFile(temporary, Buffer.concat([start, header, pixels]));
    await rename(temporary, path);
  } catch (error) {
    await rm(temporary, { force: true });
    throw error;
  }
}

/** The sheet of a cache file; null where there is none or it is not whole. */
export async function readSheet(path: string): Promise<SpriteSheet | null> {
  const bytes = await readFile(path).catch(() => null);
  if (bytes === null || !bytes.subarray(0, MAGIC.length).equals(Buffer.from(MAGIC))) return null;
  const newline = bytes.indexOf(10, MAGIC.length);
  const end = newline + 1 + Number(bytes.subarray(MAGIC.length, newline).toString());
  if (newline < 0 || bytes.length < end) return null;
  const header = JSON.parse(bytes.subarray(newline + 1, end).toString()) as Header;
  const size = header.concepts.length * SPRITES_PER_CONCEPT * BYTES_PER_SPRITE;
  if (bytes.length !== end + size) return null;
  return { ...header, pixels: new Uint8Array(bytes.buffer, bytes.byteOffset + end, size) };
}
