import { describe, expect, it } from "vitest";

import { rejection } from "../test/rejection.js";
import { wordTokenizer } from "../test/word-tokenizer.js";
import { createTokenizer } from "./tokenizer.js";

describe("createTokenizer", () => {
  const tokenizer = wordTokenizer("the lion is . , ?");

  it("encodes without special tokens around the text, and decodes without them", () => {
    const ids = tokenizer.encode("The lion is, the lion.");
    expect(ids).toEqual([5, 6, 7, 9, 5, 6, 8]);
    expect(tokenizer.decode([1, ...ids, 2])).toBe("the lion is, the lion.");
  });

  it("finds special tokens given as text or as object", () => {
    expect(tokenizer.special).toEqual({ bos: 1, eos: 2, pad: 0, unk: 3, image: 4 });
    expect(tokenizer.size).toBe(11);
  });

  it("gives unknown words the unknown token and encodes nothing as nothing", () => {
    expect(tokenizer.encode("tiger")).toEqual([3]);
    expect(tokenizer.encode("")).toEqual([]);
    expect(tokenizer.decode([])).toBe("");
  });

  it("shows the word of a token", () => {
    expect([tokenizer.word(6), tokenizer.word(2)]).toEqual(["lion", "</s>"]);
  });

  it("refuses something that is no tokenizer", async () => {
    expect(await rejection(() => createTokenizer({ model: {} }))).toMatch(
      /^tokenizer: expected the contents of a Hugging Face tokenizer\.json, .*\[E_TOKENIZER\]$/s,
    );
  });
});
