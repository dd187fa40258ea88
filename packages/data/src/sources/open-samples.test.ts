import { mkdir, mkdtemp, rm, symlink, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";

import { BasicError } from "@basic-mllm/core";
import fc from "fast-check";
import { afterEach, beforeEach, describe, expect, it } from "vitest";

import { rejection } from "../../test/rejection.js";
import { cauldronTable, png, writeTar } from "../../test/sources.js";
import { readDataset } from "../dataset.js";
import type { Sample } from "../samples.js";
import { imageSourceOf } from "./image-source.js";
import { openSamples } from "./open-samples.js";

let root = "";

beforeEach(async () => {
  root = await mkdtemp(join(tmpdir(), "basic-mllm-sources-"));
});
afterEach(() => rm(root, { recursive: true, force: true }));

function record(id: string, image: string | undefined, answer: string) {
  const asked = image === undefined ? "what is it?" : "<image>\nwhat is it?";
  const conversations = [
    { from: "human", value: asked },
    { from: "gpt", value: answer },
  ];
  return { id, ...(image !== undefined && { image }), conversations };
}

async function allOf(path: string): Promise<readonly (Sample | BasicError)[]> {
  const source = await openSamples(path);
  const found: (Sample | BasicError)[] = [];
  for await (const one of source.records()) found.push(one);
  expect(found).toHaveLength(source.size);
  for (const [i, one] of found.entries()) {
    if (one instanceof BasicError) expect(await rejection(() => source.read(i))).toBe(one.message);
    else expect(await source.read(i)).toEqual(one);
  }
  return found;
}

async function textOf(work: () => Promise<unknown>): Promise<string> {
  return (await rejection(work)).replaceAll(root, "…");
}

describe("JSON and JSON lines", () => {
  it("gives the records that JSON.parse gives, whatever their text", async () => {
    const file = join(root, "a.json");
    const lines = join(root, "a.jsonl");
    const texts = fc.array(fc.string({ unit: "grapheme", maxLength: 40 }), { minLength: 1, maxLength: 12 });
    await fc.assert(
      fc.asyncProperty(texts, fc.constantFrom(undefined, 1, "\t"), async (answers, space) => {
        const records = answers.map((answer, i) => record(`${i}`, i % 2 === 0 ? "a.png" : undefined, answer));
        await writeFile(file, JSON.stringify(records, null, space));
        await writeFile(lines, `\uFEFF\n${records.map((one) => JSON.stringify(one)).join("\r\n\n")}\n`);
        const fromArray = (await allOf(file)) as readonly Sample[];
        expect(fromArray.map(({ conversations }) => conversations[1]?.value)).toEqual(answers);
        expect(await allOf(lines)).toEqual(fromArray);
      }),
      { numRuns: 50 },
    );
  });

  it("goes on after a record that is no sample, and names its place", async () => {
    await writeFile(
      join(root, "a.jsonl"),
      `${JSON.stringify(record("1", "a.png", "x"))}\n{"id": \n${JSON.stringify({ id: 7, conversations: 3 })}\n`,
    );
    const [, second, third] = await allOf(join(root, "a.jsonl"));
    expect((second as BasicError).message).toMatch(/a\.jsonl, line 2: not valid JSON: .* Repair the file\./);
    expect((third as BasicError).message.replaceAll(root, "…")).toMatchInlineSnapshot(
      `"…/a.jsonl, record 2 (id "7"), conversations: expected a list of {"from", "value"}, got 3. Correct the record. [E_DATA_FORMAT]"`,
    );
  });

  it.each([
    [
      '[{"id": "1"',
      "…/a.json: not valid JSON: the array that it begins with does not end (record 0 is the last). Repair the file. [E_DATA_FORMAT]",
    ],
    [
      "[1] 2",
      "…/a.json: not valid JSON: something follows the array, at byte 4. Repair the file. [E_DATA_FORMAT]",
    ],
    [
      '[{"id": "1"}, {"id": "2"}}',
      "…/a.json: not valid JSON: the array ends in } at byte 25. Repair the file. [E_DATA_FORMAT]",
    ],
    [
      "[1,,2]",
      "…/a.json: not valid JSON: no record stands before the comma at byte 3. Repair the file. [E_DATA_FORMAT]",
    ],
  ])("refuses the array %s", async (text, message) => {
    await writeFile(join(root, "a.json"), text);
    expect(await textOf(() => openSamples(join(root, "a.json")))).toBe(message);
  });

  it("never looks outside of the image folder", async () => {
    await writeFile(join(root, "a.json"), JSON.stringify([record("1", "../../etc/passwd", "x")]));
    expect(await textOf(() => readDataset(join(root, "a.json")))).toMatchInlineSnapshot(
      `"image "../../etc/passwd": expected a name inside of the image folder …, got one outside of it. Give a folder that holds all images, and names relative to it. [E_IMAGE]"`,
    );
  });
});

describe("WebDataset tar", () => {
  it("groups neighbours by name, with captions, records and several images", async () => {
    const [red, green] = [await png([255, 0, 0]), await png([0, 255, 0])];
    const two = [{ user: "which is red?", assistant: "the first" }];
    await writeTar(join(root, "a.tar"), [
      ["x/000.png", red],
      ["x/000.txt", "a red square\n"],
      [`x/${"long".repeat(60)}.png`, green],
      [
        `x/${"long".repeat(60)}.json`,
        JSON.stringify({ id: 5, conversations: record("", "", "green").conversations }),
      ],
      ["002.0.png", red],
      ["002.1.png", green],
      ["002.json", JSON.stringify({ texts: two })],
      ["003.json", JSON.stringify(record("text", undefined, "nothing"))],
      ["004.png", red],
      ["notes.md", "ignored"],
    ]);
    const found = await allOf(join(root, "a.tar"));
    expect(found.slice(0, 4)).toMatchObject([
      {
        id: "x/000",
        images: ["a.tar::x/000.png"],
        conversations: [{ value: "<image>" }, { value: "a red square" }],
      },
      { id: "5", images: [`a.tar::x/${"long".repeat(60)}.png`] },
      { id: "002", images: ["a.tar::002.0.png", "a.tar::002.1.png"] },
      { id: "text", images: [] },
    ]);
    expect((found[2] as Sample).conversations[0]?.value).toBe("<image>\n<image>\nwhich is red?");
    expect((found[4] as BasicError).message.replaceAll(root, "…")).toMatchInlineSnapshot(
      `"…/a.tar, record 4 (id "004"): expected a .json or .txt beside its 1 images, got none. Add its text, or remove its images. [E_DATA_FORMAT]"`,
    );
    const images = imageSourceOf((await openSamples(join(root, "a.tar"))).imageRoot);
    expect(Buffer.from(await images.bytes("a.tar::002.1.png"))).toEqual(green);
    expect(await textOf(() => images.bytes("a.tar::../../etc/passwd"))).toMatchInlineSnapshot(
      `"image "a.tar::../../etc/passwd": there is no such image in the 1 files of …. Correct the record. [E_IMAGE]"`,
    );
  });

  it("refuses two members of one name, unless no sample is made of them", async () => {
    const [red, green] = [await png([255, 0, 0]), await png([0, 255, 0])];
    await writeTar(join(root, "a.tar"), [
      ["0.png", red],
      ["0.txt", "red"],
      ["1.txt", "nothing"],
      ["0.png", green],
    ]);
    expect(await textOf(() => openSamples(join(root, "a.tar")))).toMatchInlineSnapshot(
      `"…/a.tar: expected one member "0.png", got two, whose contents begin at bytes 512 and 3584. Write the archive again, each member with a name of its own. [E_DATA_FORMAT]"`,
    );
    await writeTar(join(root, "b.tar"), [
      ["0.txt", "red"],
      ["notes.md", "a"],
      ["notes.md", "b"],
      ["0.txt", "green"],
    ]);
    expect(await textOf(() => openSamples(join(root, "b.tar")))).toContain(
      'expected one member "0.txt", got two',
    );
    await writeTar(join(root, "c.tar"), [
      ["0.txt", "red"],
      ["notes.md", "a"],
      ["notes.md", "b"],
    ]);
    expect(await allOf(join(root, "c.tar"))).toHaveLength(1);
  });

  it("refuses an archive that is cut off, compressed or no archive", async () => {
    await writeTar(join(root, "a.tar"), [["000.png", await png([1, 2, 3], 64)]]);
    const whole = await import("node:fs/promises").then(({ readFile }) => readFile(join(root, "a.tar")));
    await writeFile(join(root, "cut.tar"), whole.subarray(0, 600));
    await writeFile(join(root, "none.tar"), Buffer.alloc(2048, 7));
    expect(await textOf(() => openSamples(join(root, "cut.tar")))).toMatch(
      /^…\/cut\.tar: expected a whole tar archive, and its member "000\.png" needs \d+ bytes at 512, and the file has 600\. Fetch it again\. \[E_DATA_FORMAT\]$/,
    );
    expect(await textOf(() => openSamples(join(root, "none.tar")))).toMatch(
      /^…\/none\.tar: expected a whole tar archive, and Invalid tar header.* Fetch it again\. \[E_DATA_FORMAT\]$/,
    );
    await writeFile(join(root, "a.tar.gz"), "x");
    expect(await textOf(() => openSamples(join(root, "a.tar.gz")))).toMatch(
      /decompress a compressed archive first/,
    );
  });
});

describe("Parquet", () => {
  const rows = async () => [
    { images: [await png([255, 0, 0])], texts: [["what color?", "red"]] as const },
    {
      images: [await png([0, 255, 0]), await png([0, 0, 255])],
      texts: [
        ["first?", "green"],
        ["second?", "blue"],
      ] as const,
    },
    { images: [], texts: [["hello", "hi"]] as const },
  ];

  it("reads The Cauldron's columns, texts without images and images by cell", async () => {
    const table = await rows();
    await writeFile(join(root, "train.parquet"), cauldronTable(table));
    const found = await allOf(join(root, "train.parquet"));
    expect(found).toMatchObject([
      {
        id: "train.parquet::0",
        images: ["train.parquet::0/0"],
        conversations: [{ value: "<image>\nwhat color?" }, { value: "red" }],
      },
      {
        images: ["train.parquet::1/0", "train.parquet::1/1"],
        conversations: [
          { value: "<image>\n<image>\nfirst?" },
          { value: "green" },
          { value: "second?" },
          { value: "blue" },
        ],
      },
      { images: [], conversations: [{ value: "hello" }, { value: "hi" }] },
    ]);
    const images = imageSourceOf((await openSamples(join(root, "train.parquet"))).imageRoot);
    expect(Buffer.from(await images.bytes("train.parquet::1/1"))).toEqual(table[1]?.images[1]);
    expect(await textOf(() => images.bytes("train.parquet::1/7"))).toMatchInlineSnapshot(
      `"image "train.parquet::1/7": expected bytes in its cell, got nothing. Write the table again with the images embedded. [E_IMAGE]"`,
    );
  });

  it("refuses what is no table, and a table without texts", async () => {
    await writeFile(join(root, "a.parquet"), "PAR1 and nothing more");
    expect(await textOf(() => openSamples(join(root, "a.parquet")))).toMatch(
      /^…\/a\.parquet: expected a whole Parquet table, and it cannot be read: .* Fetch it again\. \[E_DATA_FORMAT\]$/,
    );
    const { parquetWriteBuffer } = await import("hyparquet-writer");
    const table = parquetWriteBuffer({ columnData: [{ name: "label", data: [1, 2], type: "INT32" }] });
    await writeFile(join(root, "b.parquet"), Buffer.from(table));
    expect(await textOf(() => openSamples(join(root, "b.parquet")))).toMatchInlineSnapshot(
      `"…/b.parquet: expected a column of texts (texts, conversations, caption, text), got the columns label. Rename the column, or write the table again with one of these. [E_DATA_FORMAT]"`,
    );
  });
});

describe("folders and patterns", () => {
  it("reads shards in the order of their names", async () => {
    await mkdir(join(root, "data"));
    for (const i of [0, 1, 2]) {
      await writeTar(join(root, "data", `s-0${i}.tar`), [
        [`${i}.png`, await png([i, i, i])],
        [`${i}.txt`, `picture ${i}`],
      ]);
    }
    const ids = async (path: string) =>
      (await allOf(path)).map((one) => (one instanceof BasicError ? "" : one.id));
    expect(await ids(join(root, "data"))).toEqual(["0", "1", "2"]);
    expect(await ids(join(root, "data", "s-{00..01}.tar"))).toEqual(["0", "1"]);
    expect(await ids(join(root, "data", "*2.tar"))).toEqual(["2"]);
    const { samples, imageRoot } = await readDataset(join(root, "data"));
    expect(samples[2]?.images).toEqual(["s-02.tar::2.png"]);
    expect(Buffer.from(await imageSourceOf(imageRoot).bytes("s-02.tar::2.png"))).toEqual(
      await png([2, 2, 2]),
    );
    expect(await textOf(async () => (await openSamples(join(root, "data"))).read(3))).toMatchInlineSnapshot(
      `"data set …/data: expected a record number below 3, got 3. Open the data set again where it has grown. [E_INDEX_RANGE]"`,
    );
  });

  it("follows links to files, as in the cache of the hub, and names one that leads nowhere", async () => {
    await mkdir(join(root, "blobs"));
    await mkdir(join(root, "snapshot"));
    await writeTar(join(root, "blobs", "1234"), [["a.txt", "a picture"]]);
    await symlink(join("..", "blobs", "1234"), join(root, "snapshot", "x.tar"));
    await symlink(join("..", "blobs"), join(root, "snapshot", "folder.tar"));
    expect((await openSamples(join(root, "snapshot"))).size).toBe(1);
    expect((await openSamples(join(root, "snapshot", "*.tar"))).size).toBe(1);
    await symlink(join("..", "blobs", "5678"), join(root, "snapshot", "y.tar"));
    expect(await textOf(() => openSamples(join(root, "snapshot")))).toMatchInlineSnapshot(
      `"data set …/snapshot/y.tar: expected a file or a folder, and it cannot be read. Check the path. [E_DATA_FORMAT]"`,
    );
  });

  it("refuses mixed formats, nothing, and what is unknown", async () => {
    await writeFile(join(root, "a.jsonl"), "");
    expect(await textOf(() => openSamples(join(root, "*.tar")))).toMatchInlineSnapshot(
      `"data set …/*.tar: expected at least one file that ends in .json, .jsonl, .ndjson, .parquet, .tar, got none. Check the path. [E_DATA_EMPTY]"`,
    );
    await writeFile(join(root, "b.tar"), "");
    expect(await textOf(() => openSamples(root))).toMatchInlineSnapshot(
      `"data set …: expected files of one format, got jsonl and tar. Name those that you mean with a pattern, for example …/*.tar. [E_DATA_FORMAT]"`,
    );
    await writeFile(join(root, "c.csv"), "");
    expect(await textOf(() => openSamples(join(root, "c.csv")))).toMatchInlineSnapshot(
      `"data set …/c.csv: expected a file that ends in .json, .jsonl, .ndjson, .parquet, .tar, or a folder of such files, got ".csv". Rename or convert the file; decompress a compressed archive first. [E_DATA_FORMAT]"`,
    );
  });
});
