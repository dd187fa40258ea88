import type { FileHandle } from "node:fs/promises";

import { expect, it } from "vitest";

import { readFrom } from "./file-range.js";

it("readFrom reads parts of more than 2 GiB, which no single reading of Node does", async () => {
  const lengths: number[] = [];
  const read: (...place: [Uint8Array, number, number, number]) => Promise<{ bytesRead: number }> = async (
    ...[, , length]
  ) => {
    lengths.push(length);
    return { bytesRead: length };
  };
  const handle = { read } as unknown as FileHandle;
  await readFrom(handle, { path: "a.parquet", start: 3, length: 2 ** 31 + 1 });
  expect(lengths).toEqual([2 ** 30, 2 ** 30, 1]);
});
