import { describe, expect, it } from "vitest";

import { readRecorded } from "../test/recorded-tokenizers.js";
import { rejection } from "../test/rejection.js";
import { createTokenizer } from "./tokenizer.js";

const { texts, short, tokenizers, sentencepiece } = readRecorded();

type Changes = Readonly<Record<string, unknown>>;

/** A recorded tokenizer with other parts. */
function changed(name: string, changes: Changes, model: Changes = {}): object {
  const { tokenizer } = tokenizers[name] as { tokenizer: { readonly model?: object } };
  return { ...tokenizer, ...changes, model: { ...tokenizer.model, ...model } };
}

describe("tokens of the Python library", () => {
  it.each(Object.keys(tokenizers))("are the tokens of %s", (name) => {
    const { tokenizer, config, ids, begins, decoded } = tokenizers[name] as (typeof tokenizers)[string];
    const own = createTokenizer(tokenizer, config);
    const read = decoded === undefined ? short : texts;
    const given = read.map((text) => ({ text, ids: own.encode(text) }));
    expect(given).toEqual(read.map((text, i) => ({ text, ids: ids[i] })));
    expect(own.addsBegin).toBe(begins);
  });

  it.each(["llama_legacy", "llama", "gemma", "gpt2", "qwen2", "llama3", "smollm"])(
    "read back as in Python with %s",
    (name) => {
      const { tokenizer, config, ids, decoded = [] } = tokenizers[name] as (typeof tokenizers)[string];
      const own = createTokenizer(tokenizer, config);
      expect(ids.map((list) => own.decode(list))).toEqual(decoded);
    },
  );

  it("are those of SentencePiece itself where a text has no special token", () => {
    const { tokenizer, config } = tokenizers["llama_legacy"] as (typeof tokenizers)[string];
    const own = createTokenizer(tokenizer, config);
    const compared = texts
      .map((text, i) => ({ text, ids: sentencepiece[i] }))
      .filter(({ text }) => !/<[^ ]*>/.test(text));
    expect(compared.length).toBeGreaterThan(30);
    expect(compared.map(({ text }) => ({ text, ids: own.encode(text) }))).toEqual(compared);
  });
});

describe("the space in front of a text", () => {
  const spell = (name: string, text: string, place: "start" | "section" | "inside") => {
    const { tokenizer, config } = tokenizers[name] as (typeof tokenizers)[string];
    const own = createTokenizer(tokenizer, config);
    return own
      .encode(text, place)
      .map((id) => own.token(id))
      .join("");
  };

  it("is put there at the start and after special tokens by legacy Llama, at the start alone by the newer one", () => {
    expect(spell("llama_legacy", "cat", "start")).toBe("▁cat");
    expect(spell("llama_legacy", "cat", "section")).toBe("▁cat");
    expect(spell("llama_legacy", "cat", "inside")).toBe("cat");
    expect(spell("llama", "cat", "start")).toBe("▁cat");
    expect(spell("llama", "cat", "section")).toBe("cat");
    expect(spell("llama", "cat", "inside")).toBe("cat");
  });

  it("is never doubled in the middle of a text", () => {
    expect(spell("llama_legacy", " cat", "inside")).toBe("▁cat");
    expect(spell("llama_legacy", " cat", "start")).toBe("▁▁cat");
  });

  it("is left out by Gemma and byte-level tokenizers everywhere, and put by ByteLevel with add_prefix_space", () => {
    expect(spell("gemma", "cat", "start")).toBe("cat");
    expect(spell("smollm", "cat", "start")).toBe("cat");
    expect(spell("part_gpt2_prefix", "x", "inside")).not.toBe(spell("part_gpt2_prefix", "x", "start"));
  });
});

describe("parts of a tokenizer without an exact form", () => {
  it("are refused by name", async () => {
    const precompiled = changed("unigram", {
      normalizer: { type: "Precompiled", precompiled_charsmap: "ALQC" },
    });
    expect(await rejection(() => createTokenizer(precompiled))).toMatchInlineSnapshot(
      `"tokenizer: the normalizer "Precompiled" has no form here that gives the tokens of the Python library, so it is refused. Use a tokenizer of the families in docs/templates.md (BPE of Llama, Gemma, Qwen, SmolLM or Phi; Unigram without a character map), or encode the texts in Python. [E_TOKENIZER]"`,
    );
  });

  it.each<[string, object, string]>([
    [
      "a BERT normalizer",
      changed("gpt2", { normalizer: { type: "BertNormalizer" } }),
      'normalizer "BertNormalizer"',
    ],
    ["dropout", changed("gpt2", {}, { dropout: 0.1 }), 'model "BPE" with dropout 0.1'],
    [
      "a prefix of later pieces",
      changed("gpt2", {}, { continuing_subword_prefix: "##" }),
      'continuing_subword_prefix "##"',
    ],
    [
      "bytes in Unigram",
      changed("unigram", {}, { byte_fallback: true }),
      'model "Unigram" with byte_fallback',
    ],
    [
      "scripts",
      changed("gpt2", { pre_tokenizer: { type: "Sequence", pretokenizers: [{ type: "UnicodeScripts" }] } }),
      'pre_tokenizer "UnicodeScripts"',
    ],
    [
      "an inverted contiguous split",
      changed("gpt2", {
        pre_tokenizer: { type: "Split", pattern: { String: " " }, behavior: "Contiguous", invert: true },
      }),
      'with invert and behavior "Contiguous"',
    ],
    [
      "added tokens that are whole words",
      changed("gpt2", { added_tokens: [{ id: 1, content: "ab", single_word: true }] }),
      'added token "ab" with single_word',
    ],
  ])("are refused: %s", async (_, tokenizer, text) => {
    expect(await rejection(() => createTokenizer(tokenizer))).toContain(text);
  });
});
