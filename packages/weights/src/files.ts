import { randomUUID } from "node:crypto";
import { closeSync, fstatSync, openSync, readSync, statSync } from "node:fs";
import { mkdir, open, rename, rm } from "node:fs/promises";
import { dirname } from "node:path";

import { BasicError, explainDiskFull } from "@basic-mllm/core";

import {
  type ByteSource,
  type NamedTensor,
  Safetensors,
  type SafetensorsOptions,
  safetensorsPieces,
} from "./safetensors.js";

/**
 * Opens a file for reading by range.
 *
 * @throws `BasicError` `E_WEIGHTS_MISSING` when it cannot be opened, `E_WEIGHTS_FORMAT` when it is cut off later.
 */
export function openBytes(path: string): ByteSource {
  const descriptor = openOrExplain(path);
  const { size } = fstatSync(descriptor);
  return {
    location: path,
    size,
    read: (start, end) => readRange(descriptor, { path, start, end }),
    close: () => closeSync(descriptor),
  };
}

/** Opens a safetensors file; tensors are read when they are asked for. Close it after use. */
export function openSafetensors(path: string): Safetensors {
  const source = openBytes(path);
  try {
    return new Safetensors(source);
  } catch (error) {
    source.close();
    throw error;
  }
}

/** Writes a safetensors file: the whole file or nothing. Makes the folder. */
export async function writeSafetensors(
  path: string,
  tensors: readonly NamedTensor[],
  options?: SafetensorsOptions,
): Promise<void> {
  await writeAtomically(path, safetensorsPieces(tensors, options));
}

/**
 * Writes pieces under a temporary name, syncs, then renames.
 *
 * @throws `BasicError` `E_DISK_FULL`; the temporary file is removed.
 */
export async function writeAtomically(
  path: string,
  pieces: Iterable<Uint8Array> | AsyncIterable<Uint8Array>,
): Promise<void> {
  const full = `${path} could not be written: the disk is full. Nothing was changed. Make space and run the command again.`;
  await explainDiskFull(full, () => writeWhole(path, pieces));
}

async function writeWhole(
  path: string,
  pieces: Iterable<Uint8Array> | AsyncIterable<Uint8Array>,
): Promise<void> {
  await mkdir(dirname(path), { recursive: true });
  const temporary = `${path}.${randomUUID()}.tmp`;
  try {
    const file = await open(temporary, "wx");
    try {
      for await (const piece of pieces) await file.writeFile(piece);
      await file.sync();
    } finally {
      await file.close();
    }
    await rename(temporary, path);
  } catch (error) {
    await rm(temporary, { force: true });
    throw error;
  }
}

function openOrExplain(path: string): number {
  try {
    // Asked first: opening a pipe would wait for its writer.
    if (statSync(path).isFile()) return openSync(path, "r");
  } catch (error) {
    throw new BasicError("E_WEIGHTS_MISSING", `${path} cannot be opened. Check the path.`, { cause: error });
  }
  throw new BasicError(
    "E_WEIGHTS_MISSING",
    `${path} is a folder or a device, expected a file. Check the path.`,
  );
}

function readRange(descriptor: number, range: { path: string; start: number; end: number }): Uint8Array {
  const { path, start, end } = range;
  const bytes = new Uint8Array(end - start);
  let done = 0;
  while (done < bytes.length) {
    const count = readSync(descriptor, bytes, done, bytes.length - done, start + done);
    if (count === 0) {
      throw new BasicError(
        "E_WEIGHTS_FORMAT",
        `${path} ends at byte ${start + done}, expected ${end}. Was it cut off while it was read?`,
      );
    }
    done += count;
  }
  return bytes;
}
