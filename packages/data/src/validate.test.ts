import { mkdtemp, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";

import { afterEach, beforeEach, expect, it } from "vitest";

import { cauldronTable, png, writeTar } from "../test/sources.js";
import { wordTokenizer } from "../test/word-tokenizer.js";
import { openSamples, readAllSamples } from "./sources/open-samples.js";
import { TEMPLATES } from "./templates.js";
import { type ValidateOptions, validateDataset } from "./validate.js";

const none = { count: 0, examples: [] };
const tokenizer = wordTokenizer("user : assistant what is it ? lion dog");
let root = "";

beforeEach(async () => {
  root = await mkdtemp(join(tmpdir(), "basic-mllm-validate-"));
  await writeFile(join(root, "a.png"), await png([1, 2, 3]));
});
afterEach(() => rm(root, { recursive: true, force: true }));

function record(id: string, image: string, answer: string, question = "<image>\nwhat is it?") {
  const conversations = [
    { from: "human", value: question },
    { from: "gpt", value: answer },
  ];
  return { id, image, conversations };
}

async function validate(path: string, options: Partial<ValidateOptions> = {}) {
  const source = await openSamples(join(root, path));
  return validateDataset({ source, tokenizer, ...options });
}

it("reports what would stop a training run, with counts and the first cases", async () => {
  await writeFile(join(root, "b.png"), "broken");
  const records = [
    record("1", "a.png", "lion"),
    record("2", "gone.png", "dog"),
    record("2", "b.png", ""),
    record("2", "../out.png", "dog", "<image><image> what is it?"),
    record("5", "a.png", "dog", "what is it?"),
    { id: "6", conversations: [{ from: "gpt", value: "dog" }] },
    { id: "7", conversations: [{ from: "human", value: 3 }] },
  ];
  await writeFile(join(root, "data.json"), JSON.stringify(records));
  const report = await validate("data.json", { decodeImages: true, maxLength: 10 });
  const text = JSON.parse(JSON.stringify(report).replaceAll(root, "…"));
  expect(text).toMatchObject({
    samples: 5,
    textOnly: 0,
    images: 4,
    missingImages: { count: 1, examples: ["gone.png"] },
    morePlaceholders: { count: 1, examples: ["2 (2 × <image>, images: 1)"] },
    fewerPlaceholders: { count: 1, examples: ["5 (0 × <image>, images: 1)"] },
    emptyAnswers: { count: 1, examples: ["2"] },
    duplicateIds: { count: 1, examples: ["2"] },
    turns: { min: 2, median: 2, max: 2 },
  });
  expect(text.brokenImages).toEqual({
    count: 2,
    examples: [
      expect.stringMatching(/^image "b\.png": expected a PNG, .* got 6 bytes that begin with/),
      'image "../out.png": expected a name inside of the image folder …, got one outside of it. ' +
        "Give a folder that holds all images, and names relative to it. [E_IMAGE]",
    ],
  });
  expect([text.roleErrors, text.malformed]).toEqual([
    {
      count: 1,
      examples: [
        '…/data.json, record 5 (id "6"), conversations[0].from: expected "human" (human and gpt take turns), got "gpt". Correct the record. [E_DATA_FORMAT]',
      ],
    },
    {
      count: 1,
      examples: [
        '…/data.json, record 6 (id "7"), conversations[0].value: expected a text, got 3. Correct the record. [E_DATA_FORMAT]',
      ],
    },
  ]);
  const chat = report.templates.find(({ template }) => template === "chat");
  expect(chat?.tokens).toEqual({ min: 11, median: 11, max: 11 });
  expect(chat?.supervisedShare).toBeCloseTo(2 / 11);
  expect(chat?.overLong).toEqual({ count: 2, examples: ["1 (11 tokens)", "2 (11 tokens)"] });
  expect(chat?.unusable).toMatchObject([
    { code: "E_LABELS_MASKED", count: 1 },
    { code: "E_IMAGE_TOKENS", count: 2 },
  ]);
});

it("finds the same in JSON lines, Parquet and tar, and no sample over-long without a limit", async () => {
  const picture = await png([1, 2, 3]);
  const good = record("1", "a.png", "lion");
  await writeFile(join(root, "data.jsonl"), `${JSON.stringify(good)}\n`);
  const table = cauldronTable([{ images: [picture], texts: [["what is it?", "lion"]] }]);
  await writeFile(join(root, "data.parquet"), table);
  await writeTar(join(root, "data.tar"), [
    ["1.json", JSON.stringify({ conversations: good.conversations })],
    ["1.png", picture],
  ]);
  const templates = Object.values(TEMPLATES).filter(({ name }) => name === "chat");
  for (const file of ["data.jsonl", "data.parquet", "data.tar", "*.tar"]) {
    const report = await validate(file, { decodeImages: true, templates });
    expect(report, file).toMatchObject({
      samples: 1,
      images: 1,
      roleErrors: none,
      malformed: none,
      missingImages: none,
      brokenImages: none,
      morePlaceholders: none,
      fewerPlaceholders: none,
      emptyAnswers: none,
      duplicateIds: none,
      templates: [{ template: "chat", tokens: { max: 11 }, overLong: none, unusable: [] }],
    });
  }
});

it("takes records without ids of several files for different ones", async () => {
  const { id: _, ...nameless } = record("", "a.png", "lion");
  for (const name of ["x", "y"]) {
    await writeFile(join(root, `${name}.jsonl`), `${JSON.stringify(nameless)}\n`.repeat(2));
  }
  const source = await openSamples(join(root, "*.jsonl"));
  expect((await readAllSamples(source)).map(({ id }) => id)).toEqual([
    "x.jsonl::0",
    "x.jsonl::1",
    "y.jsonl::0",
    "y.jsonl::1",
  ]);
  expect(await validate("*.jsonl")).toMatchObject({ samples: 4, duplicateIds: none });
  expect((await readAllSamples(await openSamples(join(root, "x.jsonl"))))[1]?.id).toBe("1");
});

it("looks for an image once, however many samples show it, and holds no samples", async () => {
  const asked: string[] = [];
  const sample = (i: number) => ({
    ...record(`${i}`, "", "lion"),
    images: [`${i % 50}.png`],
    metadata: {},
    conversations: record("", "", "lion").conversations as never,
  });
  const report = await validateDataset({
    tokenizer,
    templates: [],
    source: {
      imageRoot: {
        locate: (image) => image,
        file: () => null,
        has: async (image) => {
          asked.push(image);
          return image !== "7.png";
        },
        bytes: async () => new Uint8Array(),
      },
      records: async function* () {
        for (let i = 0; i < 500; i++) {
          // Images of earlier samples were looked for before later samples were read.
          if (i === 200) expect(asked.length).toBeGreaterThanOrEqual(32);
          yield sample(i);
        }
      },
    },
  });
  expect([report.samples, report.images, asked.length]).toEqual([500, 50, 50]);
  expect(report.missingImages).toEqual({ count: 1, examples: ["7.png"] });
});
