import type { FileHandle } from "node:fs/promises";

import { BasicError } from "@basic-mllm/core";
import { extract, type Header as Headers } from "tar-stream";

import { readFrom, withFile } from "./file-range.js";

/** A file inside of a tar archive. */
export interface TarMember {
  readonly name: string;
  /** First byte of its content in the archive. */
  readonly offset: number;
  readonly size: number;
}

const BLOCK = 512;
/** Bytes that are read to find a header; long names need more than one block. */
const WINDOW = 4096;
/** Headers in a row that may come before one member. */
const LONGEST_HEADER = 64 * 1024;

/**
 * Lists the files of a tar archive, without reading their contents. Links, devices and folders are left out: nothing
 * is ever written to disk.
 *
 * @throws `BasicError` `E_DATA_FORMAT` for a damaged header or an archive that is cut off.
 */
export async function indexTar(path: string): Promise<readonly TarMember[]> {
  return withFile(path, async (handle) => {
    const { size } = await handle.stat();
    const members: TarMember[] = [];
    let at = 0;
    while (at + BLOCK <= size) {
      const header = await nextHeader(handle, { path, at, size });
      if (header === null) break;
      const { name, offset, length, isFile } = header;
      if (offset + length > size) {
        throw tarError(
          path,
          `its member "${name}" needs ${length} bytes at ${offset}, and the file has ${size}`,
        );
      }
      if (isFile) members.push({ name, offset, size: length });
      at = offset + Math.ceil(length / BLOCK) * BLOCK;
    }
    if (at === 0 && members.length === 0) throw tarError(path, `it has ${size} bytes and no member`);
    return members;
  });
}

interface Header {
  readonly name: string;
  readonly offset: number;
  readonly length: number;
  readonly isFile: boolean;
}

/** The header at a place; null at the end of the archive. */
async function nextHeader(
  handle: FileHandle,
  { path, at, size }: { readonly path: string; readonly at: number; readonly size: number },
): Promise<Header | null> {
  for (let window = WINDOW; ; window *= 4) {
    const length = Math.min(window, size - at);
    const bytes = await readFrom(handle, { path, start: at, length });
    // An empty block ends the archive.
    if (bytes.subarray(0, BLOCK).every((byte) => byte === 0)) return null;
    const found = await decodeHeader(bytes, path);
    if (found !== null) {
      return {
        name: found.name,
        offset: at + (found.byteOffset ?? 0),
        length: found.size ?? 0,
        isFile: found.type === "file" || found.type === "contiguous-file",
      };
    }
    if (length === size - at || window >= LONGEST_HEADER) {
      throw tarError(path, `the header at byte ${at} does not end`);
    }
  }
}

/** tar-stream says where a member's content begins; its types do not. */
type PlacedHeaders = Headers & { readonly byteOffset?: number };

/** The first member's header; null where the bytes end before it does. */
function decodeHeader(bytes: Buffer, path: string): Promise<PlacedHeaders | null> {
  return new Promise((resolve, reject) => {
    const reader = extract();
    reader.on("entry", (headers: PlacedHeaders, stream) => {
      resolve(headers);
      // The content is read later, by its place.
      stream.on("error", () => undefined);
      reader.destroy();
    });
    reader.on("error", (cause: Error) => reject(tarError(path, cause.message, cause)));
    reader.on("close", () => resolve(null));
    reader.write(bytes);
    setImmediate(() => reader.destroy());
  });
}

function tarError(path: string, what: string, cause?: unknown): BasicError {
  const compressed = /\.t?gz$/.test(path) ? "Decompress it first" : "Fetch it again";
  return new BasicError(
    "E_DATA_FORMAT",
    `${path}: expected a whole tar archive, and ${what.replace(/\.$/, "")}. ${compressed}.`,
    {
      cause,
    },
  );
}
