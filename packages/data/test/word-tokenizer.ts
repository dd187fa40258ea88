import { createTokenizer, type TextTokenizer } from "../src/tokenizer.js";

const SPECIAL = ["<pad>", "<s>", "</s>", "<unk>", "<image>"];

/** The files of a tokenizer of whole words, lower case. */
export function wordTokenizerFiles(words: readonly string[]): { tokenizer: object; config: object } {
  const vocabulary = [...SPECIAL, ...words];
  return {
    tokenizer: {
      version: "1.0",
      added_tokens: SPECIAL.map((content, id) => ({ id, content, special: true, normalized: false })),
      normalizer: { type: "Lowercase" },
      pre_tokenizer: { type: "BertPreTokenizer" },
      post_processor: null,
      decoder: { type: "WordPiece", prefix: "##", cleanup: true },
      model: {
        type: "WordPiece",
        unk_token: "<unk>",
        continuing_subword_prefix: "##",
        vocab: Object.fromEntries(vocabulary.map((word, id) => [word, id])),
      },
    },
    config: {
      add_bos_token: true,
      bos_token: "<s>",
      eos_token: { content: "</s>" },
      pad_token: "<pad>",
      unk_token: "<unk>",
    },
  };
}

/** A tokenizer of the words of a text. */
export function wordTokenizer(text: string): TextTokenizer {
  const { tokenizer, config } = wordTokenizerFiles([...new Set(text.split(" "))]);
  return createTokenizer(tokenizer, config);
}
