import { describe, expect, it } from "vitest";

import { wordTokenizer } from "../test/word-tokenizer.js";
import type { Sample } from "./samples.js";
import { countUnknownWords, unknownWordsOf } from "./unknown-words.js";

const sample = (...values: readonly string[]): Sample => ({
  id: "1",
  images: ["a.png"],
  conversations: values.map((value, i) => ({ from: i % 2 === 0 ? "human" : "gpt", value })),
  metadata: {},
});

describe("words outside of a tokenizer's vocabulary", () => {
  const tokenizer = wordTokenizer("what is this ? a cat");

  it("are counted over all samples, the most frequent first, without the image placeholder", () => {
    const samples = [sample("<image>\nwhat is this?", "a lynx"), sample("what is this?", "a zebra, a lynx")];
    expect(countUnknownWords(tokenizer, samples)).toEqual({
      words: 15,
      unknown: 4,
      frequent: [
        { word: "lynx", count: 2 },
        { word: "zebra", count: 1 },
        { word: ",", count: 1 },
      ],
    });
  });

  it("are named once each in a text", () => {
    expect(unknownWordsOf(tokenizer, "is this a lynx or a lynx?")).toEqual(["lynx", "or"]);
  });

  it("are none where the tokenizer has no unknown token", () => {
    const without = { ...tokenizer, special: { ...tokenizer.special, unk: null } };
    expect(countUnknownWords(without, [sample("what", "a lynx")])).toEqual({
      words: 3,
      unknown: 0,
      frequent: [],
    });
    expect(unknownWordsOf(without, "a lynx")).toEqual([]);
  });
});
