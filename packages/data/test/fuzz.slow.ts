// Damaged data files end in samples or in a BasicError: no crash, no hang, no file outside of their folder.
import { mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join, resolve, sep } from "node:path";

import { BasicError } from "@basic-mllm/core";
import fc from "fast-check";
import { pack } from "tar-stream";
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, it, vi } from "vitest";
import { damaged } from "../../weights/test/mutations.js";
import { startWatchdog, type Watchdog } from "../../weights/test/watchdog.js";
import { imageSourceOf } from "../src/sources/image-source.js";
import { openSamples } from "../src/sources/open-samples.js";
import { cauldronTable, png, writeTar } from "./sources.js";

const RUNS = 10_000;

/** Files that were opened, and whether for writing. */
const opened = vi.hoisted(() => new Map<string, string>());

vi.mock("node:fs/promises", async (original) => {
  const fs = await original<typeof import("node:fs/promises")>();
  return {
    ...fs,
    open: (path: string, flags = "r") => {
      opened.set(path, flags);
      return fs.open(path, flags);
    },
    readFile: (...args: Parameters<typeof fs.readFile>) => {
      opened.set(String(args[0]), "r");
      return fs.readFile(...args);
    },
    access: (path: string) => {
      opened.set(path, "r");
      return fs.access(path);
    },
  };
});

let outer: string;
let folder: string;
let watchdog: Watchdog;

beforeAll(() => {
  outer = mkdtempSync(join(tmpdir(), "fuzz-data-"));
  folder = join(outer, "set");
  mkdirSync(folder);
  writeFileSync(join(outer, "secret.png"), "outside of the folder");
});
afterAll(() => rmSync(outer, { recursive: true, force: true }));
beforeEach(() => {
  watchdog = startWatchdog({ seconds: 20, megabytes: 1024, input: folder });
});
afterEach(() => watchdog.stop());

const isInside = (path: string): boolean => `${resolve(path)}${sep}`.startsWith(`${folder}${sep}`);

/** Reads every record in both ways, and every image. */
async function readAll(path: string): Promise<number> {
  const source = await openSamples(path);
  const images = imageSourceOf(source.imageRoot);
  let refused = 0;
  let index = 0;
  const orRefused = async (work: () => Promise<unknown>): Promise<void> => {
    try {
      await work();
    } catch (error) {
      if (!(error instanceof BasicError)) throw error;
      refused++;
    }
  };
  for await (const record of source.records()) {
    const number = index++;
    await orRefused(() => source.read(number));
    if (record instanceof BasicError) continue;
    for (const image of record.images) {
      await orRefused(() => images.has(image));
      await orRefused(() => images.bytes(image));
    }
  }
  expect(index).toBe(source.size);
  return refused;
}

async function check(name: string, inputs: fc.Arbitrary<Uint8Array>): Promise<void> {
  const path = join(folder, name);
  let refused = 0;
  await fc.assert(
    fc.asyncProperty(inputs, async (bytes) => {
      writeFileSync(path, bytes);
      opened.clear();
      watchdog.next();
      try {
        refused += Math.min(1, await readAll(path));
      } catch (error) {
        if (!(error instanceof BasicError)) throw error;
        refused++;
      }
      const wrong = [...opened].filter(([file, flags]) => flags !== "r" || !isInside(file));
      expect(wrong).toEqual([]);
    }),
    { numRuns: RUNS, seed: 31 },
  );
  rmSync(path);
  expect(refused).toBeGreaterThan(RUNS / 10);
}

const record = (id: string, image: string) => ({
  id,
  image,
  conversations: [
    { from: "human", value: "<image>\nwhat is it?" },
    { from: "gpt", value: `a picture, “${id}”` },
  ],
});

describe("a damaged data file", () => {
  it.each(["json", "jsonl"])("of %s is read or refused", async (format) => {
    writeFileSync(join(folder, "a.png"), await png([1, 2, 3]));
    const records = ["1", "2", "3"].map((id) => record(id, "a.png"));
    const lines = `${records.map((one) => JSON.stringify(one)).join("\n")}\n`;
    const whole = new TextEncoder().encode(format === "json" ? JSON.stringify(records, null, 1) : lines);
    await check(`a.${format}`, damaged(whole));
  });

  it("of WebDataset tar is read or refused", async () => {
    const path = join(folder, "whole.tar");
    await writeTar(path, [
      ["000.png", await png([1, 2, 3])],
      ["000.json", JSON.stringify(record("0", "x"))],
      [`${"long/".repeat(40)}001.0.jpg`, "one"],
      [`${"long/".repeat(40)}001.txt`, "a caption"],
    ]);
    const whole = new Uint8Array(readFileSync(path));
    rmSync(path);
    await check("a.tar", damaged(whole));
  });

  it.each(["SNAPPY", "UNCOMPRESSED"] as const)("of Parquet (%s) is read or refused", async (codec) => {
    const rows = [
      { images: [await png([255, 0, 0])], texts: [["what color?", "red"]] },
      {
        images: [Buffer.from("1"), Buffer.from("22")],
        texts: [
          ["first?", "green"],
          ["second?", "blue"],
        ],
      },
      { images: [], texts: [["hello", "hi"]] as const },
    ] as const;
    const table = cauldronTable(rows, { codec });
    await check("a.parquet", damaged(new Uint8Array(table)));
  });
});

/** Names that want to leave the folder, in the ways of every system. */
const escaping = fc
  .array(
    fc.constantFrom(
      "..",
      "../",
      "/",
      "\\",
      "..\\",
      "C:",
      "\0",
      "secret.png",
      "a",
      ".",
      "%2e%2e/",
      "::",
      "a.tar",
    ),
    { minLength: 1, maxLength: 8 },
  )
  .map((parts) => parts.join(""));

describe("names that want to leave the folder", () => {
  it("are refused as images of JSON", async () => {
    const inputs = escaping.map((name) =>
      new TextEncoder().encode(JSON.stringify([record("1", name), record("2", `../${name}`)])),
    );
    await check("a.json", inputs);
  });

  it("stay names inside of a tar archive, those of links too", async () => {
    type Member = {
      readonly name: string;
      readonly type: "file" | "symlink" | "link";
      readonly target: string;
    };
    const members: fc.Arbitrary<readonly Member[]> = fc.array(
      fc.record({
        name: escaping.map((name) => name.replaceAll("\0", "0")),
        type: fc.constantFrom("file", "symlink", "link"),
        target: fc.constantFrom("../secret.png", "/etc/passwd", "a"),
      }),
      { minLength: 1, maxLength: 4 },
    );
    let inputs = 0;
    const path = join(folder, "a.tar");
    await fc.assert(
      fc.asyncProperty(members, async (list) => {
        writeFileSync(path, await tarOf(list));
        opened.clear();
        watchdog.next();
        inputs++;
        try {
          await readAll(path);
        } catch (error) {
          if (!(error instanceof BasicError)) throw error;
        }
        expect([...opened].filter(([file]) => file !== path)).toEqual([]);
      }),
      { numRuns: RUNS, seed: 31 },
    );
    expect(inputs).toBe(RUNS);
  });

  async function tarOf(
    list: readonly { readonly name: string; readonly type: string; readonly target: string }[],
  ): Promise<Uint8Array> {
    const archive = pack();
    const record = JSON.stringify({ caption: "x", image: "../secret.png" });
    for (const { name, type, target } of list) {
      if (type === "file") {
        archive.entry({ name: `${name}.png` }, "image");
        archive.entry({ name: `${name}.json` }, record);
      } else archive.entry({ name: `${name}.png`, type: type as "symlink", linkname: target });
    }
    archive.finalize();
    const parts: Buffer[] = [];
    for await (const part of archive) parts.push(part as Buffer);
    return new Uint8Array(Buffer.concat(parts));
  }
});
