import { BasicError } from "@basic-mllm/core";
import { Tokenizer } from "@huggingface/tokenizers";

/** Ids of special tokens; null where the tokenizer has none. */
export interface SpecialTokens {
  readonly bos: number | null;
  readonly eos: number | null;
  readonly pad: number | null;
  readonly unk: number | null;
  /** `<image>`. */
  readonly image: number | null;
}

/** Text to token ids and back. */
export interface TextTokenizer {
  /** One more than the largest id. */
  readonly size: number;
  readonly special: SpecialTokens;
  /** True where encoding puts a space before the text by itself (Llama's SentencePiece). */
  readonly addsSpace: boolean;
  /** Token ids of a text, without special tokens around it. */
  encode(text: string): readonly number[];
  /** The text of ids, without special tokens. */
  decode(ids: Iterable<number>): string;
  /** The text of one token, stripped: what token matching shows. */
  word(id: number): string;
}

interface TokenizerConfig {
  readonly bos_token?: unknown;
  readonly eos_token?: unknown;
  readonly pad_token?: unknown;
  readonly unk_token?: unknown;
}

/**
 * Makes a tokenizer of the Hugging Face files.
 *
 * @param tokenizer - Parsed `tokenizer.json`.
 * @param config - Parsed `tokenizer_config.json`: names the special tokens.
 * @throws `BasicError` `E_TOKENIZER` when the files do not describe a tokenizer.
 */
export function createTokenizer(tokenizer: unknown, config: unknown = {}): TextTokenizer {
  const inner = openTokenizer(tokenizer, config);
  const named = (config ?? {}) as TokenizerConfig;
  const vocabulary = inner.get_vocab(true);
  const idOf = (token: string | undefined): number | null =>
    token === undefined ? null : (inner.token_to_id(token) ?? null);
  const size = Math.max(-1, ...chunkedMaxima([...vocabulary.values()])) + 1;
  const decode = (ids: Iterable<number>): string => {
    const list = [...ids];
    return list.length === 0 ? "" : inner.decode(list, { skip_special_tokens: true });
  };
  const [probe = ""] = inner.tokenize("a");
  return {
    size,
    special: {
      bos: idOf(tokenText(named.bos_token)),
      eos: idOf(tokenText(named.eos_token)),
      pad: idOf(tokenText(named.pad_token)),
      unk: idOf(tokenText(named.unk_token)),
      image: idOf("<image>"),
    },
    addsSpace: probe.startsWith("▁"),
    encode: (text) => (text === "" ? [] : inner.encode(text, { add_special_tokens: false }).ids),
    decode,
    word: (id) => {
      const text = inner.decode([id]).trim();
      return text === "" ? (inner.id_to_token(id) ?? `#${id}`) : text;
    },
  };
}

function openTokenizer(tokenizer: unknown, config: unknown): Tokenizer {
  try {
    return new Tokenizer(tokenizer as object, (config ?? {}) as object);
  } catch (cause) {
    const reason = cause instanceof Error ? cause.message : String(cause);
    throw new BasicError(
      "E_TOKENIZER",
      `tokenizer: expected the contents of a Hugging Face tokenizer.json, got something else: ${reason} ` +
        "Check that the file is whole and of a fast tokenizer (it has the keys `model` and `added_tokens`).",
      { cause },
    );
  }
}

/** A special token of tokenizer_config.json: a text, or an object that holds one. */
function tokenText(token: unknown): string | undefined {
  if (typeof token === "string") return token;
  if (typeof token === "object" && token !== null && "content" in token) {
    return typeof token.content === "string" ? token.content : undefined;
  }
  return undefined;
}

/** Maxima of slices: spreading a whole vocabulary into one call overflows the stack. */
function chunkedMaxima(values: readonly number[]): readonly number[] {
  const maxima: number[] = [];
  for (let start = 0; start < values.length; start += 4096) {
    maxima.push(Math.max(...values.slice(start, start + 4096)));
  }
  return maxima;
}
