import { mkdtemp, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, beforeEach, describe, expect, it } from "vitest";

import { rejection } from "../test/rejection.js";
import { wordTokenizerFiles } from "../test/word-tokenizer.js";
import { readTokenizer, readTokenizerFiles } from "./tokenizer-files.js";

let root = "";
beforeEach(async () => {
  root = await mkdtemp(join(tmpdir(), "basic-mllm-tokenizer-"));
});
afterEach(() => rm(root, { recursive: true, force: true }));

const { tokenizer, config } = wordTokenizerFiles(["lion"]);

async function write(files: Readonly<Record<string, unknown>>): Promise<void> {
  for (const [name, content] of Object.entries(files)) {
    await writeFile(join(root, name), typeof content === "string" ? content : JSON.stringify(content));
  }
}

const refused = async (): Promise<string> =>
  (await rejection(() => readTokenizer(root))).replaceAll(root, "…");

describe("readTokenizer", () => {
  it("opens the tokenizer of a folder, or of a file, and names a missing file", async () => {
    expect(await refused()).toMatchInlineSnapshot(
      `"tokenizer: expected the file …/tokenizer.json, and it cannot be read. Give the folder of a model with a fast tokenizer. [E_TOKENIZER]"`,
    );
    await write({ "tokenizer.json": tokenizer, "words.json": tokenizer, "tokenizer_config.json": config });
    expect((await readTokenizer(root)).encode("lion")).toEqual([5]);
    expect((await readTokenizer(join(root, "words.json"))).special.eos).toBe(2);
  });

  it.each([
    "tokenizer.json",
    "tokenizer_config.json",
    "special_tokens_map.json",
    "added_tokens.json",
    "chat_template.json",
  ])("says that %s holds no object", async (name) => {
    await write({ "tokenizer.json": tokenizer, "tokenizer_config.json": config, [name]: "null" });
    expect(await refused()).toBe(
      `tokenizer: …/${name} must hold a JSON object. Download it again. [E_TOKENIZER]`,
    );
  });

  it("says which file is damaged", async () => {
    await write({ "tokenizer.json": tokenizer, "tokenizer_config.json": "{" });
    expect(await refused()).toMatchInlineSnapshot(
      `"tokenizer: …/tokenizer_config.json is not valid JSON. Download it again. [E_TOKENIZER]"`,
    );
  });
});

describe("files beside tokenizer.json", () => {
  it("name special tokens that the config does not, and the config wins", async () => {
    await write({
      "tokenizer.json": tokenizer,
      "tokenizer_config.json": { bos_token: "<s>", eos_token: null },
      "special_tokens_map.json": { bos_token: "<pad>", eos_token: { content: "</s>" }, unk_token: "<unk>" },
    });
    expect((await readTokenizer(root)).special).toEqual({ bos: 1, eos: 2, pad: null, unk: 3, image: 4 });
  });

  it("add tokens, which are then cut out of a text", async () => {
    await write({
      "tokenizer.json": tokenizer,
      "tokenizer_config.json": {
        ...config,
        added_tokens_decoder: { 6: { content: "<end>", special: true, lstrip: false, rstrip: true } },
      },
      "added_tokens.json": { "<end>": 6, "<more>": 7 },
    });
    const own = await readTokenizer(root);
    expect([own.encode("lion<end> lion<more>"), own.size]).toEqual([[5, 6, 5, 7], 8]);
    expect(own.added.get("<end>")).toEqual({ id: 6, content: "<end>", lstrip: false, rstrip: true });
  });

  it("must agree about ids", async () => {
    await write({ "tokenizer.json": tokenizer, "added_tokens.json": { "<image>": 9 } });
    expect(await refused()).toMatchInlineSnapshot(
      `"tokenizer: the token "<image>" has the id 4 in tokenizer.json and 9 in tokenizer_config.json or added_tokens.json. Download the files again, all of one revision. [E_TOKENIZER]"`,
    );
  });

  it("hold the chat template: a file of its own wins over the config", async () => {
    await write({
      "tokenizer.json": tokenizer,
      "tokenizer_config.json": { ...config, chat_template: "old" },
    });
    expect((await readTokenizer(root)).chatTemplates).toEqual({ default: "old" });
    await write({ "chat_template.json": { chat_template: "json" } });
    expect((await readTokenizer(root)).chatTemplates).toEqual({ default: "json" });
    await write({ "chat_template.jinja": "jinja" });
    expect((await readTokenizer(root)).chatTemplates).toEqual({ default: "jinja" });
    expect((await readTokenizerFiles(root))["tokenizer_config.json"]).toEqual({
      ...config,
      chat_template: "jinja",
    });
  });
});
