import { describe, expect, it } from "vitest";

import { unknownWordsWarning } from "./unknown-words.js";

describe("unknownWordsWarning", () => {
  it("gives the share of unknown words and the most frequent ones", () => {
    const frequent = Array.from({ length: 10 }, (_, i) => ({ word: `w${i}`, count: 10 - i }));
    expect(unknownWordsWarning('set "chat"', { words: 440, unknown: 55, frequent })).toMatchInlineSnapshot(
      `"set "chat": 12.5 % of the words (55 of 440) are not in the tokenizer's vocabulary, and the model sees the same unknown token for all of them: w0 (10), w1 (9), w2 (8), w3 (7), w4 (6), w5 (5), w6 (4), w7 (3), and 2 more. Write them with words that the tokenizer knows, or use a model whose tokenizer knows them."`,
    );
  });

  it("says nothing where all words are known", () => {
    expect(unknownWordsWarning("x", { words: 3, unknown: 0, frequent: [] })).toBeUndefined();
  });
});
