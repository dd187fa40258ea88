import { randomUUID } from "node:crypto";
import { closeSync, fstatSync, openSync, readSync, statSync } from "node:fs";
import { mkdir, open, rename, rm } from "node:fs/promises";
import { dirname } from "node:path";

import { BasicError, explainDiskFull } from "@basic-mllm/core";

import { type ByteSource, Safetensors } from "./safetensors.js";
import { type SafetensorsOptions, safetensorsPieces, type WritableTensor } from "./safetensors-write.js";

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
    read: (start, end) => {
      const bytes = new Uint8Array(end - start);
      readRange(descriptor, { path, start, bytes });
      return bytes;
    },
    readInto: (bytes, start) => readRange(descriptor, { path, start, bytes }),
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

/** What the writers take: bytes in pieces, in memory or as they are made. */
export type Pieces = Iterable<Uint8Array> | AsyncIterable<Uint8Array>;

/** Writes a safetensors file: the whole file or nothing. Makes the folder. Lazy tensors are in memory one at a time. */
export async function writeSafetensors(
  path: string,
  tensors: readonly WritableTensor[],
  options?: SafetensorsOptions,
): Promise<void> {
  await writeAtomically(path, safetensorsPieces(tensors, options));
}

/**
 * Writes pieces under a temporary name, syncs, then renames.
 *
 * @throws `BasicError` `E_DISK_FULL`; the temporary file is removed.
 */
export async function writeAtomically(path: string, pieces: Pieces): Promise<void> {
  const full = `${path} could not be written: the disk is full. Nothing was changed. Make space and run the command again.`;
  await explainDiskFull(full, async () => {
    await mkdir(dirname(path), { recursive: true });
    await replaceFile(path, `${path}.${randomUUID()}.tmp`, pieces);
  });
}

/** {@link writeAtomically} for a text. */
export async function writeText(path: string, text: string): Promise<void> {
  await writeAtomically(path, [new TextEncoder().encode(text)]);
}

/** Writes `temporary`, syncs it, and gives it its name; it is removed after an error. */
export async function replaceFile(path: string, temporary: string, pieces: Pieces): Promise<void> {
  try {
    await writeSynced(temporary, pieces);
    await rename(temporary, path);
  } catch (error) {
    await rm(temporary, { force: true });
    throw error;
  }
  await syncFolder(dirname(path));
}

/** Writes a file and waits until the disk has it. */
export async function writeSynced(path: string, pieces: Pieces): Promise<void> {
  const file = await open(path, "w");
  try {
    for await (const piece of pieces) await file.writeFile(piece);
    await file.sync();
  } finally {
    await file.close();
  }
}

/** Makes renames and new names durable. Windows cannot open folders, and needs no such sync. */
export async function syncFolder(path: string): Promise<void> {
  if (process.platform === "win32") return;
  const folder = await open(path, "r");
  try {
    await folder.sync();
  } finally {
    await folder.close();
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

/** Node reads no more at once: it takes the length for one of 32 bits. */
const MOST_READ = 2 ** 30;

function readRange(descriptor: number, range: { path: string; start: number; bytes: Uint8Array }): void {
  const { path, start, bytes } = range;
  let done = 0;
  while (done < bytes.length) {
    const length = Math.min(MOST_READ, bytes.length - done);
    const count = readSync(descriptor, bytes, done, length, start + done);
    if (count === 0) {
      throw new BasicError(
        "E_WEIGHTS_FORMAT",
        `${path} ends at byte ${start + done}, expected ${start + bytes.length}. Was it cut off while it was read?`,
      );
    }
    done += count;
  }
}
