import { mkdtemp, open, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";

import { expect, it, vi } from "vitest";

import { openBytes } from "./files.js";

/** Lengths of readings, none of which touches the file. */
const reads = vi.hoisted((): number[] => []);

vi.mock("node:fs", async (importOriginal) => {
  const real = await importOriginal<typeof import("node:fs")>();
  return {
    ...real,
    readSync: (_: number, __: Uint8Array, ___: number, length: number) => {
      reads.push(length);
      // As Node does, which takes it for a number of 32 bits.
      if ((length | 0) !== length) throw new RangeError(`The value of "length" is out of range: ${length}`);
      return length;
    },
  };
});

it("openBytes refuses what is no file", () => {
  expect(() => openBytes("/")).toThrowErrorMatchingInlineSnapshot(
    `[BasicError: / is a folder or a device, expected a file. Check the path. [E_WEIGHTS_MISSING]]`,
  );
  expect(() => openBytes("/not/there")).toThrowErrorMatchingInlineSnapshot(
    `[BasicError: /not/there cannot be opened. Check the path. [E_WEIGHTS_MISSING]]`,
  );
});

it("openBytes reads parts of more than 2 GiB, which no single reading of Node does", async () => {
  const folder = await mkdtemp(join(tmpdir(), "basic-mllm-"));
  const path = join(folder, "large.bin");
  const size = 2 ** 32 + 5;
  try {
    const file = await open(path, "w");
    // Holes take no space.
    await file.truncate(size);
    await file.close();
    const source = openBytes(path);
    // Neither is the memory touched: it is not read into.
    source.readInto(new Uint8Array(size - 5), 5);
    source.close();
    expect(reads).toEqual(new Array(4).fill(2 ** 30));
  } finally {
    await rm(folder, { recursive: true });
  }
});
