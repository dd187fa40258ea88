import { describe, expect, it } from "vitest";

import { readRecorded } from "../test/recorded-tokenizers.js";
import { rejection } from "../test/rejection.js";
import { wordTokenizer } from "../test/word-tokenizer.js";
import { addSpecialTokens, checkVocabulary, requireImageToken } from "./special-tokens.js";
import { createTokenizer } from "./tokenizer.js";
import type { TokenizerFiles } from "./tokenizer-fold.js";

const { tokenizers } = readRecorded();

function files(name: string): TokenizerFiles {
  const { tokenizer, config } = tokenizers[name] as (typeof tokenizers)[string];
  return { "tokenizer.json": tokenizer, "tokenizer_config.json": config };
}

describe("addSpecialTokens", () => {
  it.each(["qwen2", "phi3", "unigram"])(
    "puts <image> and <pad> after the last id, in that order: %s",
    (name) => {
      const before = createTokenizer(files(name)["tokenizer.json"], files(name)["tokenizer_config.json"]);
      const {
        files: after,
        ids,
        added,
        rows,
      } = addSpecialTokens(files(name), { image: "<image>", pad: "<pad>" });
      expect(ids).toEqual({ "<image>": before.size, "<pad>": before.size + 1 });
      expect([added, rows]).toEqual([["<image>", "<pad>"], before.size + 2]);
      const own = createTokenizer(after["tokenizer.json"], after["tokenizer_config.json"]);
      expect(own.special).toMatchObject({ image: before.size, pad: before.size + 1 });
      expect(own.encode("cat<image>")).toEqual([...before.encode("cat"), before.size]);
      expect(own.decode(own.encode("cat<image>"))).toBe(before.decode(before.encode("cat")));
    },
  );

  it("leaves a token that is there where it is, so that no table must grow", () => {
    const { ids, added, rows } = addSpecialTokens(files("llama"), { image: "<image>", pad: "<unk>" });
    const own = createTokenizer(files("llama")["tokenizer.json"]);
    expect(ids).toEqual({ "<image>": own.added.get("<image>")?.id, "<unk>": 0 });
    expect([added, rows]).toEqual([[], own.size]);
  });
});

describe("checkVocabulary", () => {
  const tokenizer = wordTokenizer("what is it");

  it("accepts a table that is as long as the vocabulary, or longer", () => {
    for (const rows of [8, 64]) expect(() => checkVocabulary(tokenizer, rows, "llama")).not.toThrow();
  });

  it("says which tokens have no row", async () => {
    expect(await rejection(() => checkVocabulary(tokenizer, 7, "llama"))).toMatchInlineSnapshot(
      `"tokenizer: expected at most 7 tokens, the rows of the embedding table of "llama", got ids up to 7: no row for 1 of them. Use the model's own tokenizer; where tokens were added, the table must grow to 8 rows first. [E_TOKENIZER]"`,
    );
    expect(await rejection(() => checkVocabulary(tokenizer, 3, "llama"))).toContain(
      "among them <unk>, <image>.",
    );
  });
});

describe("requireImageToken", () => {
  it("gives the id, and says how to add one", async () => {
    expect(requireImageToken(wordTokenizer("it"))).toBe(4);
    const bare = createTokenizer(files("qwen2")["tokenizer.json"]);
    expect(await rejection(() => requireImageToken(bare))).toMatchInlineSnapshot(
      `"tokenizer: expected an image token (\`image_token\` of tokenizer_config.json, or <image>), got none. Add one with addSpecialTokens, which says whether the embedding table must grow. [E_TOKENIZER]"`,
    );
  });
});
