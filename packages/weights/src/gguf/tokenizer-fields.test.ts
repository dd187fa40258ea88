import { describe, expect, it } from "vitest";

import { string } from "./field-values.js";
import { describeGguf } from "./in-memory.js";
import { readGgufTokenizer } from "./tokenizer.js";
import { tokenizerFields } from "./tokenizer-fields.js";
import type { JsonObject, TokenizerSource } from "./tokenizer-parts.js";

const special = (id: number, content: string) => ({ id, content, special: true });
const digits = { type: "Digits", individual_digits: true };
const byteLevel = { type: "ByteLevel", add_prefix_space: false, trim_offsets: true, use_regex: true };

/** A byte-level BPE, split as SmolLM2's own tokenizer.json says. */
const bpe: TokenizerSource = {
  tokenizer: {
    added_tokens: [special(0, "<|end|>"), { id: 6, content: "<tool>", special: false }],
    normalizer: null,
    pre_tokenizer: { type: "Sequence", pretokenizers: [digits, byteLevel] },
    model: {
      type: "BPE",
      vocab: { "<|end|>": 0, a: 1, b: 2, ab: 3, Ġab: 4, Ġ: 5 },
      merges: ["a b", ["Ġ", "ab"]],
    },
  },
  config: {
    bos_token: "<|end|>",
    eos_token: { content: "<|end|>" },
    unk_token: null,
    chat_template: "{{ messages }}",
  },
};

const normalizer = {
  type: "Sequence",
  normalizers: [
    { type: "Prepend", prepend: "▁" },
    { type: "Replace", pattern: { String: " " }, content: "▁" },
  ],
};

/** SentencePiece's, as Llama 2's tokenizer.json. */
const pieces: TokenizerSource = {
  tokenizer: {
    added_tokens: [special(0, "<unk>"), special(1, "<s>")],
    normalizer,
    pre_tokenizer: null,
    model: {
      type: "BPE",
      byte_fallback: true,
      unk_token: "<unk>",
      vocab: { "<unk>": 0, "<s>": 1, "<0x0A>": 2, "▁": 3, a: 4, b: 5, "▁a": 6, ab: 7, "▁ab": 8 },
      merges: [
        ["▁", "a"],
        ["a", "b"],
        ["▁", "ab"],
        ["▁a", "b"],
      ],
    },
  },
  config: { bos_token: "<s>", unk_token: "<unk>" },
};

function changed(source: TokenizerSource, change: JsonObject, model: JsonObject = {}): TokenizerSource {
  const { tokenizer, config } = source;
  return {
    config,
    tokenizer: { ...tokenizer, ...change, model: { ...(tokenizer["model"] as JsonObject), ...model } },
  };
}

const shown = (source: TokenizerSource, rows: number) =>
  Object.fromEntries(
    Object.entries(tokenizerFields(source, { rows, addsBegin: true })).map(([name, { value }]) => [
      name.replace("tokenizer.", ""),
      value,
    ]),
  );

describe("tokenizerFields", () => {
  it("writes a byte-level BPE, a token for each row of the table", () => {
    expect(shown(bpe, 8)).toEqual({
      "ggml.model": "gpt2",
      "ggml.pre": "smollm",
      "ggml.tokens": ["<|end|>", "a", "b", "ab", "Ġab", "Ġ", "<tool>", "[PAD7]"],
      "ggml.token_type": [3, 1, 1, 1, 1, 1, 4, 5],
      "ggml.merges": ["a b", "Ġ ab"],
      "ggml.bos_token_id": 0,
      "ggml.eos_token_id": 0,
      "ggml.add_bos_token": true,
      "ggml.add_eos_token": false,
      chat_template: "{{ messages }}",
    });
  });

  it("writes SentencePiece's, scored by the order of merges", () => {
    expect(shown(pieces, 9)).toMatchObject({
      "ggml.model": "llama",
      "ggml.token_type": [2, 3, 6, 1, 1, 1, 1, 1, 1],
      "ggml.scores": [0, 0, 0, -4, -4, -4, -0, -1, -2],
      "ggml.add_space_prefix": true,
      "ggml.unknown_token_id": 0,
    });
  });

  it.each([
    ["byte-level", bpe],
    ["SentencePiece's", pieces],
  ])("is read back with the same vocabulary and merges: %s", (_, source) => {
    const fields = { ...tokenizerFields(source, { rows: 9, addsBegin: false }), "general.name": string("x") };
    const read = readGgufTokenizer(describeGguf(fields, [], "test"))?.tokenizer["model"] as JsonObject;
    const own = source.tokenizer["model"] as JsonObject;
    expect(read["vocab"]).toMatchObject(own["vocab"] as object);
    const merges = own["merges"] as readonly (string | readonly string[])[];
    expect(read["merges"]).toEqual(
      merges.map((merge) => (typeof merge === "string" ? merge.split(" ") : merge)),
    );
  });

  it.each<readonly [string, JsonObject, JsonObject, string]>([
    ["gpt-2", { pre_tokenizer: byteLevel }, {}, "gpt-2"],
    [
      "qwen2",
      {
        normalizer: { type: "NFC" },
        pre_tokenizer: {
          type: "Sequence",
          pretokenizers: [
            {
              type: "Split",
              pattern: {
                Regex:
                  "(?i:'s|'t|'re|'ve|'m|'ll|'d)|[^\\r\\n\\p{L}\\p{N}]?\\p{L}+|\\p{N}| ?[^\\s\\p{L}\\p{N}]+[\\r\\n]*|\\s*[\\r\\n]+|\\s+(?!\\S)|\\s+",
              },
              behavior: "Isolated",
              invert: false,
            },
            { ...byteLevel, trim_offsets: false, use_regex: false },
          ],
        },
      },
      {},
      "qwen2",
    ],
  ])("knows the splits of %s", (_, change, model, name) => {
    const fields = tokenizerFields(changed(bpe, change, model), { rows: 7, addsBegin: false });
    expect(fields["tokenizer.ggml.pre"]?.value).toBe(name);
  });

  it("names what ends an answer where that is another token", () => {
    const write = (endOfTurn: number) =>
      tokenizerFields(bpe, { rows: 7, addsBegin: false, endOfTurn })["tokenizer.ggml.eot_token_id"]?.value;
    expect(write(6)).toBe(6);
    expect(write(0)).toBeUndefined();
  });

  it("takes another chat template, or none", () => {
    const write = (chatTemplate: string | null) =>
      tokenizerFields(bpe, { rows: 7, addsBegin: false, chatTemplate })["tokenizer.chat_template"]?.value;
    expect(write("{{ own }}")).toBe("{{ own }}");
    expect(write(null)).toBeUndefined();
  });

  it.each<readonly [string, TokenizerSource, number]>([
    ["words", changed(bpe, {}, { type: "WordLevel" }), 7],
    ["a BPE of characters", changed(bpe, { pre_tokenizer: { type: "Whitespace" } }), 7],
    ["more tokens than rows", bpe, 6],
    ["splits that llama.cpp does not have", changed(bpe, { normalizer: { type: "Lowercase" } }), 7],
    [
      "SentencePiece's with a merge left out",
      changed(
        pieces,
        {},
        {
          merges: [
            ["▁", "a"],
            ["a", "b"],
            ["▁a", "b"],
          ],
        },
      ),
      9,
    ],
    [
      "SentencePiece's with merges of one token far apart",
      changed(
        pieces,
        {},
        {
          merges: [
            ["▁", "ab"],
            ["▁", "a"],
            ["a", "b"],
            ["▁a", "b"],
          ],
        },
      ),
      9,
    ],
    ["a merge with a space", changed(bpe, {}, { merges: [["a b", "c"]] }), 7],
  ])("refuses %s", (_, source, rows) => {
    expect(() => tokenizerFields(source, { rows, addsBegin: false })).toThrowErrorMatchingSnapshot();
  });
});
