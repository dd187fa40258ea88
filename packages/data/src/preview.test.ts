import { mkdtemp, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";

import sharp from "sharp";
import { afterEach, beforeEach, expect, it } from "vitest";

import { png } from "../test/sources.js";
import { wordTokenizer } from "../test/word-tokenizer.js";
import { previewSamples } from "./preview.js";
import { openSamples } from "./sources/open-samples.js";
import { findTemplate } from "./templates.js";

const tokenizer = wordTokenizer("user : assistant what is it ? lion dog");
let root = "";

beforeEach(async () => {
  root = await mkdtemp(join(tmpdir(), "basic-mllm-preview-"));
  await writeFile(join(root, "a.png"), await png([1, 2, 3], 600));
  await writeFile(join(root, "b.png"), "broken");
});
afterEach(() => rm(root, { recursive: true, force: true }));

function record(id: number, image: unknown, answer = "lion") {
  const conversations = [
    { from: "human", value: "<image>\nwhat is it?" },
    { from: "gpt", value: answer },
  ];
  return { id, image, conversations };
}

async function preview(records: readonly unknown[], count: number) {
  await writeFile(join(root, "data.jsonl"), records.map((one) => JSON.stringify(one)).join("\n"));
  const source = await openSamples(join(root, "data.jsonl"));
  return previewSamples(source, { template: findTemplate("chat"), tokenizer, count });
}

it("takes records at even distances, all where there are fewer", async () => {
  const records = Array.from({ length: 10 }, (_, i) => record(i, "a.png"));
  expect((await preview(records, 4)).map(({ index, id }) => [index, id])).toEqual([
    [0, "0"],
    [2, "2"],
    [5, "5"],
    [7, "7"],
  ]);
  expect(await preview(records, 100)).toHaveLength(10);
});

it("has thumbnails that are small", async () => {
  const [shown] = await preview([record(1, "a.png")], 1);
  const address = shown?.images[0]?.address ?? "";
  expect(address).toMatch(/^data:image\/webp;base64,/);
  const { width, height } = await sharp(Buffer.from(address.split(",")[1] ?? "", "base64")).metadata();
  expect([width, height, shown?.problems]).toEqual([224, 224, []]);
});

it("says what is wrong with a record in its place", async () => {
  const found = await preview(
    [record(1, "b.png"), record(2, 5), record(3, "a.png", ""), record(4, "gone.png")],
    9,
  );
  expect(found.map(({ id, tokens }) => [id, tokens.length > 0])).toEqual([
    ["1", true],
    [null, false],
    ["3", false],
    ["4", true],
  ]);
  expect(found[0]?.images).toEqual([{ name: "b.png", address: null }]);
  const problems = found.map((one) => one.problems.join("|").replaceAll(root, "…"));
  expect(problems[0]).toMatch(/^image "b\.png": expected a PNG, .* that begin with/);
  expect(problems.slice(1)).toMatchInlineSnapshot(`
    [
      "…/data.jsonl, record 1 (id "2"), image: expected a file name or a list of file names, got 5. Correct the record. [E_DATA_FORMAT]",
      "sample "3": template "chat" trains answers, and all its answers are empty. Remove the sample, correct its answers, or choose another template. [E_LABELS_MASKED]",
      "image "…/gone.png": there is no such file. Correct the image folder or the record, or set onImageError to "skip-and-count". [E_IMAGE]",
    ]
  `);
});
