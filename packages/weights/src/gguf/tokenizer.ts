import { BasicError } from "@basic-mllm/core";

import { GgufFields } from "./fields.js";
import type { GgufFile } from "./file.js";
import { preTokenizerOf } from "./pre-tokenizers.js";
import { mergesByScore } from "./sentencepiece-merges.js";

/** Parsed files of a Hugging Face tokenizer, as `createTokenizer` takes them. */
export interface TokenizerFiles {
  /** The contents of a tokenizer.json. */
  readonly tokenizer: Readonly<Record<string, unknown>>;
  /** The contents of a tokenizer_config.json. */
  readonly config: TokenizerSettings;
}

/** The part of a tokenizer_config.json that a GGUF file knows. */
export interface TokenizerSettings {
  readonly bos_token?: string;
  readonly eos_token?: string;
  readonly unk_token?: string;
  readonly pad_token?: string;
  readonly add_bos_token: boolean;
  readonly add_eos_token: boolean;
  readonly clean_up_tokenization_spaces: false;
  /** Jinja. */
  readonly chat_template?: string;
}

/** ggml's kinds of tokens. */
const NORMAL = 1;
const CONTROL = 3;
const USER_DEFINED = 4;

interface Vocabulary {
  readonly tokens: readonly string[];
  readonly kinds: readonly number[];
}

/**
 * The tokenizer of a GGUF file as tokenizer.json and tokenizer_config.json: byte-level BPE (`gpt2`) or SentencePiece
 * (`llama`).
 *
 * @returns null for a file without a tokenizer.
 * @throws `BasicError` `E_TOKENIZER` for another kind, or lists that do not fit together; `E_CONFIG` for a field of
 *   another type.
 */
export function readGgufTokenizer(file: GgufFile): TokenizerFiles | null {
  const fields = new GgufFields(file.metadata, file.location);
  const kind = fields.text("tokenizer.ggml.model", "none");
  if (kind === "none" || kind === "no_vocab") return null;
  if (kind !== "gpt2" && kind !== "llama") {
    throw invalid(file, `\`tokenizer.ggml.model\` is "${kind.slice(0, 60)}", supported are gpt2 and llama`);
  }
  const vocabulary = readVocabulary(fields, file);
  const parts =
    kind === "gpt2" ? byteLevelParts(fields, file, vocabulary) : sentencePieceParts(fields, file, vocabulary);
  const config = readSettings(fields, file, { vocabulary, addsBos: kind === "llama" });
  const tokenizer = {
    version: "1.0",
    truncation: null,
    padding: null,
    added_tokens: addedTokens(vocabulary),
    ...parts,
    post_processor: postProcessor(config, vocabulary),
  };
  return { tokenizer, config };
}

function readVocabulary(fields: GgufFields, file: GgufFile): Vocabulary {
  const tokens = fields.texts("tokenizer.ggml.tokens");
  const name = "tokenizer.ggml.token_type";
  const kinds = fields.has(name) ? fields.numbers(name) : tokens.map(() => NORMAL);
  if (kinds.length !== tokens.length) {
    throw invalid(file, `it has ${tokens.length} tokens but ${kinds.length} entries in \`${name}\``);
  }
  return { tokens, kinds };
}

/** Control tokens vanish when text is decoded without special tokens, user-defined ones stay. */
function addedTokens({ tokens, kinds }: Vocabulary): readonly object[] {
  return tokens.flatMap((content, id) => {
    const kind = kinds[id];
    if ((kind !== CONTROL && kind !== USER_DEFINED) || content === "") return [];
    const special = kind === CONTROL;
    return [{ id, content, single_word: false, lstrip: false, rstrip: false, normalized: false, special }];
  });
}

function byteLevelParts(fields: GgufFields, file: GgufFile, vocabulary: Vocabulary): object {
  const pre = preTokenizerOf(fields.text("tokenizer.ggml.pre", "default"), file.location);
  const merges = fields.texts("tokenizer.ggml.merges").map((merge) => {
    // A space is never part of a byte-level token, but may be its first character in damaged files.
    const at = merge.indexOf(" ", 1);
    if (at < 0 || at === merge.length - 1) {
      throw invalid(
        file,
        `\`tokenizer.ggml.merges\` must hold pairs of tokens, got ${JSON.stringify(merge.slice(0, 40))}`,
      );
    }
    return [merge.slice(0, at), merge.slice(at + 1)];
  });
  return {
    normalizer: pre.normalizer,
    pre_tokenizer: pre.preTokenizer,
    decoder: { type: "ByteLevel", add_prefix_space: true, trim_offsets: true, use_regex: true },
    model: { ...bpe(vocabulary, merges), unk_token: null, ignore_merges: pre.ignoreMerges },
  };
}

/** SentencePiece's spaces are ▁; what is no token becomes tokens of its bytes. */
function sentencePieceParts(fields: GgufFields, file: GgufFile, vocabulary: Vocabulary): object {
  const { tokens, kinds } = vocabulary;
  const scores = fields.numbers("tokenizer.ggml.scores");
  if (scores.length !== tokens.length) {
    throw invalid(
      file,
      `it has ${tokens.length} tokens but ${scores.length} entries in \`tokenizer.ggml.scores\``,
    );
  }
  const mergeable = kinds.map((kind) => kind === NORMAL || kind === USER_DEFINED);
  const addsSpace = fields.flag("tokenizer.ggml.add_space_prefix", true);
  const replace = { type: "Replace", pattern: { String: " " }, content: "▁" };
  const back = { type: "Replace", pattern: { String: "▁" }, content: " " };
  const strip = { type: "Strip", content: " ", start: 1, stop: 0 };
  return {
    normalizer: {
      type: "Sequence",
      normalizers: addsSpace ? [{ type: "Prepend", prepend: "▁" }, replace] : [replace],
    },
    pre_tokenizer: null,
    decoder: {
      type: "Sequence",
      decoders: [back, { type: "ByteFallback" }, { type: "Fuse" }, ...(addsSpace ? [strip] : [])],
    },
    model: {
      ...bpe(vocabulary, mergesByScore({ tokens, scores, mergeable }, file.location)),
      unk_token: tokenAt(fields, file, { name: "unknown", tokens }) ?? null,
      fuse_unk: true,
      byte_fallback: true,
      ignore_merges: false,
    },
  };
}

function bpe({ tokens }: Vocabulary, merges: readonly (readonly string[])[]): object {
  return {
    type: "BPE",
    dropout: null,
    continuing_subword_prefix: null,
    end_of_word_suffix: null,
    fuse_unk: false,
    byte_fallback: false,
    vocab: Object.fromEntries(tokens.map((token, id) => [token, id])),
    merges,
  };
}

function readSettings(
  fields: GgufFields,
  file: GgufFile,
  { vocabulary, addsBos }: { readonly vocabulary: Vocabulary; readonly addsBos: boolean },
): TokenizerSettings {
  const at = (name: string) => tokenAt(fields, file, { name, tokens: vocabulary.tokens });
  const [bos, eos, unknown, padding] = [at("bos"), at("eos"), at("unknown"), at("padding")];
  const template = fields.text("tokenizer.chat_template", "");
  const isLlama3 = /^llama/.test(fields.text("tokenizer.ggml.pre", ""));
  return {
    ...(bos !== undefined && { bos_token: bos }),
    ...(eos !== undefined && { eos_token: eos }),
    ...(unknown !== undefined && { unk_token: unknown }),
    ...(padding !== undefined && { pad_token: padding }),
    add_bos_token: fields.flag("tokenizer.ggml.add_bos_token", addsBos || isLlama3),
    add_eos_token: fields.flag("tokenizer.ggml.add_eos_token", false),
    clean_up_tokenization_spaces: false,
    ...(template !== "" && { chat_template: template }),
  };
}

function tokenAt(
  fields: GgufFields,
  file: GgufFile,
  { name, tokens }: { readonly name: string; readonly tokens: readonly string[] },
): string | undefined {
  const field = `tokenizer.ggml.${name}_token_id`;
  if (!fields.has(field)) return undefined;
  const id = fields.number(field);
  // Some converters write -1, as an unsigned number, for "none".
  if (id === -1 || id === 0xffff_ffff) return undefined;
  const token = tokens[id];
  if (token === undefined)
    throw invalid(file, `\`${field}\` is ${id}, but there are ${tokens.length} tokens`);
  return token;
}

/** Puts the first and last token around a text where the model was trained with them. */
function postProcessor(config: TokenizerSettings, { tokens }: Vocabulary): object | null {
  const first = config.add_bos_token ? config.bos_token : undefined;
  const last = config.add_eos_token ? config.eos_token : undefined;
  const special = (token: string | undefined) =>
    token === undefined ? [] : [{ SpecialToken: { id: token, type_id: 0 } }];
  if (first === undefined && last === undefined) return null;
  const single = [...special(first), { Sequence: { id: "A", type_id: 0 } }, ...special(last)];
  const pair = [...single, ...special(first), { Sequence: { id: "B", type_id: 1 } }, ...special(last)];
  const used = [first, last].filter((token) => token !== undefined);
  return {
    type: "TemplateProcessing",
    single,
    pair,
    special_tokens: Object.fromEntries(
      used.map((token) => [token, { id: token, ids: [tokens.indexOf(token)], tokens: [token] }]),
    ),
  };
}

function invalid(file: GgufFile, problem: string): BasicError {
  return new BasicError(
    "E_TOKENIZER",
    `${file.location}: the tokenizer cannot be read: ${problem}. Use the tokenizer.json of the original model.`,
  );
}
