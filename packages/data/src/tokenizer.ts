import { BasicError } from "@basic-mllm/core";
import { Tokenizer } from "@huggingface/tokenizers";

import { exactTokenizer, type JsonObject, prefixRule, withoutPrefix } from "./tokenizer-exact.js";

/** Ids of special tokens; null where the tokenizer has none. */
export interface SpecialTokens {
  readonly bos: number | null;
  readonly eos: number | null;
  readonly pad: number | null;
  readonly unk: number | null;
  /** `image_token` of tokenizer_config.json, else `<image>`. */
  readonly image: number | null;
}

/** A token that is cut out of a text before anything else. */
export interface AddedToken {
  readonly id: number;
  readonly content: string;
  /** Takes the white space before it along. */
  readonly lstrip: boolean;
  /** Takes the white space after it along. */
  readonly rstrip: boolean;
}

/**
 * What stands before a text: nothing (`start`), a special token of the same text (`section`), other text (`inside`).
 * Tokenizers of SentencePiece put a space in front of a text, and some of them after each special token too.
 */
export type TextPlace = "start" | "section" | "inside";

/** Text to token ids and back. */
export interface TextTokenizer {
  /** One more than the largest id. */
  readonly size: number;
  readonly special: SpecialTokens;
  /** Whether a text begins with the beginning-of-sequence token. */
  readonly addsBegin: boolean;
  /** Jinja sources by name; the usual one is `default`. Empty: the model has no template of its own. */
  readonly chatTemplates: Readonly<Record<string, string>>;
  /** Token ids of a text, without special tokens around it. Default place: `start`. */
  encode(text: string, place?: TextPlace): readonly number[];
  /** The text of ids, without special tokens. */
  decode(ids: Iterable<number>): string;
  /** The text of one token, stripped: what token matching shows. */
  word(id: number): string;
  /** The text of a token as it stands in the vocabulary. */
  token(id: number): string | null;
  /** Tokens that are cut out of a text first, special ones and others. */
  readonly added: ReadonlyMap<string, AddedToken>;
}

/**
 * Makes a tokenizer of the Hugging Face files.
 *
 * @param tokenizer - Parsed `tokenizer.json`.
 * @param config - Parsed `tokenizer_config.json`: names the special tokens, holds the chat template.
 * @throws `BasicError` `E_TOKENIZER` when the files do not describe a tokenizer, or one that would not give the
 *   tokens of the Python library.
 */
export function createTokenizer(tokenizer: unknown, config: unknown = {}): TextTokenizer {
  const files = { tokenizer: requireObject(tokenizer), config: (config ?? {}) as JsonObject };
  const { inner, inside, rule } = openTokenizer(files);
  const idOf = (token: string | undefined): number | null =>
    token === undefined ? null : (inner.token_to_id(token) ?? null);
  const special = specialTokens(files.config, idOf);
  const added = [...inner.get_added_tokens_decoder().values()];
  return {
    size: vocabularySize(inner),
    special,
    addsBegin: special.bos !== null && addsBegin(files),
    chatTemplates: chatTemplatesOf(files.config["chat_template"]),
    encode: (text, place = "start") => {
      if (text === "") return [];
      const own = place === "inside" || (place === "section" && rule === "text") ? inside : inner;
      return own.encode(text, { add_special_tokens: false }).ids;
    },
    decode: (ids) => {
      const list = [...ids];
      return list.length === 0 ? "" : inner.decode(list, { skip_special_tokens: true });
    },
    word: (id) => {
      const text = inner.decode([id]).trim();
      return text === "" ? (inner.id_to_token(id) ?? `#${id}`) : text;
    },
    token: (id) => inner.id_to_token(id) ?? null,
    added: new Map(
      added.map(({ id, content, lstrip, rstrip }) => [content, { id, content, lstrip, rstrip }]),
    ),
  };
}

interface ParsedFiles {
  readonly tokenizer: JsonObject;
  readonly config: JsonObject;
}

function specialTokens(
  config: JsonObject,
  idOf: (token: string | undefined) => number | null,
): SpecialTokens {
  return {
    bos: idOf(tokenText(config["bos_token"])),
    eos: idOf(tokenText(config["eos_token"])),
    pad: idOf(tokenText(config["pad_token"])),
    unk: idOf(tokenText(config["unk_token"])),
    image: idOf(tokenText(config["image_token"]) ?? "<image>"),
  };
}

/** The library's tokenizer, and a second one over the same vocabulary for text in the middle of a text. */
function openTokenizer({ tokenizer, config }: ParsedFiles) {
  try {
    const exact = exactTokenizer(tokenizer);
    const settings = librarySettings(tokenizer, config);
    const inner = new Tokenizer(exact, settings);
    keepByteOrderMarks(inner.decoder);
    const rule = prefixRule(exact);
    if (rule === "none") return { inner, inside: inner, rule };
    const { normalizer, pre_tokenizer } = new Tokenizer(
      {
        ...exact,
        added_tokens: [],
        model: { type: "BPE", vocab: {}, merges: [] },
        normalizer: withoutPrefix(exact["normalizer"]),
        pre_tokenizer: withoutPrefix(exact["pre_tokenizer"]),
      },
      settings,
    );
    const inside = Object.create(inner) as Tokenizer;
    inside.normalizer = normalizer;
    inside.pre_tokenizer = pre_tokenizer;
    return { inner, inside, rule };
  } catch (cause) {
    if (cause instanceof BasicError) throw cause;
    throw notATokenizer(cause instanceof Error ? cause.message : String(cause), cause);
  }
}

/** The library drops U+FEFF where it puts bytes together; Python keeps it. */
function keepByteOrderMarks(decoder: object | null): void {
  const own = (decoder ?? {}) as { decoders?: readonly object[]; text_decoder?: TextDecoder };
  for (const inner of own.decoders ?? []) keepByteOrderMarks(inner);
  if (own.text_decoder !== undefined) own.text_decoder = new TextDecoder("utf-8", { ignoreBOM: true });
}

/** What the library may know of tokenizer_config.json: the rest belongs to tokenizers written in Python. */
function librarySettings(tokenizer: JsonObject, config: JsonObject): JsonObject {
  const { unk_token } = (tokenizer["model"] ?? {}) as { unk_token?: unknown };
  const additional = config["additional_special_tokens"];
  return {
    unk_token,
    eos_token: tokenText(config["eos_token"]),
    ...("clean_up_tokenization_spaces" in config && {
      clean_up_tokenization_spaces: config["clean_up_tokenization_spaces"],
    }),
    additional_special_tokens: Array.isArray(additional) ? additional.map(tokenText) : [],
  };
}

/** Whether a text begins with the beginning-of-sequence token: as `add_bos_token` says, else the post-processor. */
function addsBegin({ tokenizer, config }: ParsedFiles): boolean {
  if (typeof config["add_bos_token"] === "boolean") return config["add_bos_token"];
  const processor = findPart(tokenizer["post_processor"], "TemplateProcessing");
  const [first] = (processor?.["single"] ?? []) as readonly {
    readonly SpecialToken?: { readonly id: string };
  }[];
  return first?.SpecialToken !== undefined && first.SpecialToken.id === tokenText(config["bos_token"]);
}

/** A part of the given type, also inside of sequences. */
function findPart(part: unknown, type: string): JsonObject | undefined {
  if (typeof part !== "object" || part === null) return undefined;
  const own = part as JsonObject;
  if (own["type"] === type) return own;
  const inner = own["processors"];
  if (!Array.isArray(inner)) return undefined;
  return inner.map((entry) => findPart(entry, type)).find((found) => found !== undefined);
}

/** `chat_template`: a text, a list of `{ name, template }`, or an object of texts. */
function chatTemplatesOf(value: unknown): Readonly<Record<string, string>> {
  if (typeof value === "string") return { default: value };
  const entries = Array.isArray(value)
    ? value.map((entry: JsonObject | null): readonly [unknown, unknown] => [
        entry?.["name"],
        entry?.["template"],
      ])
    : Object.entries((value ?? {}) as JsonObject);
  return Object.fromEntries(
    entries.filter((entry): entry is [string, string] => entry.every((text) => typeof text === "string")),
  );
}

function requireObject(tokenizer: unknown): JsonObject {
  if (typeof tokenizer === "object" && tokenizer !== null && !Array.isArray(tokenizer)) {
    return tokenizer as JsonObject;
  }
  throw notATokenizer(`it is ${JSON.stringify(tokenizer)?.slice(0, 40) ?? "nothing"}.`);
}

function notATokenizer(reason: string, cause?: unknown): BasicError {
  return new BasicError(
    "E_TOKENIZER",
    `tokenizer: expected the contents of a Hugging Face tokenizer.json, got something else: ${reason} ` +
      "Check that the file is whole and of a fast tokenizer (it has the keys `model` and `added_tokens`).",
    { cause },
  );
}

/** A special token of tokenizer_config.json: a text, or an object that holds one. */
export function tokenText(token: unknown): string | undefined {
  if (typeof token === "string") return token;
  if (typeof token === "object" && token !== null && "content" in token) {
    return typeof token.content === "string" ? token.content : undefined;
  }
  return undefined;
}

function vocabularySize(inner: Tokenizer): number {
  let largest = -1;
  for (const id of inner.get_vocab(true).values()) largest = Math.max(largest, id);
  return largest + 1;
}
