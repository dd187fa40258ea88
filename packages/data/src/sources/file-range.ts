import { type FileHandle, open } from "node:fs/promises";
import { isAbsolute, resolve } from "node:path";

import { BasicError } from "@basic-mllm/core";

/**
 * Reads a part of a file.
 *
 * @throws `BasicError` `E_DATA_FORMAT` where the file cannot be read or ends before the part does.
 */
export async function readRange(path: string, start: number, length: number): Promise<Buffer> {
  return withFile(path, (handle) => readFrom(handle, { path, start, length }));
}

/** Opens a file for the time of some work. */
export async function withFile<Result>(
  path: string,
  work: (handle: FileHandle) => Promise<Result>,
): Promise<Result> {
  const handle = await open(path, "r").catch((cause: unknown) => {
    throw unreadable(path, cause);
  });
  try {
    return await work(handle);
  } finally {
    await handle.close();
  }
}

/** Node reads no more at once: it takes the length for one of 32 bits. */
const MOST_READ = 2 ** 30;

/** Reads a part of an open file; errors as {@link readRange}. */
export async function readFrom(
  handle: FileHandle,
  { path, start, length }: { readonly path: string; readonly start: number; readonly length: number },
): Promise<Buffer> {
  const buffer = Buffer.allocUnsafe(length);
  let read = 0;
  while (read < length) {
    const most = Math.min(MOST_READ, length - read);
    const { bytesRead } = await handle.read(buffer, read, most, start + read);
    if (bytesRead === 0) {
      throw new BasicError(
        "E_DATA_FORMAT",
        `${path}: expected ${length} bytes at ${start}, got ${read}: the file ends there. It is cut off, or it changed since it was opened: fetch it again.`,
      );
    }
    read += bytesRead;
  }
  return buffer;
}

/** The error of a path that cannot be opened. */
export function unreadable(path: string, cause: unknown): BasicError {
  const advice = isAbsolute(path)
    ? "Check the path."
    : `Check the path: it counts from the current folder (here ${resolve(path)}), not from that of a recipe.`;
  return new BasicError(
    "E_DATA_FORMAT",
    `data set ${path}: expected a file or a folder, and it cannot be read. ${advice}`,
    { cause },
  );
}
