import { bool, float32s, type GgufFieldValues, int32s, string, strings, uint32 } from "./field-values.js";
import { describeGguf } from "./in-memory.js";
import { nameOfPreTokenizer } from "./pre-tokenizers.js";
import { mergesByScore } from "./sentencepiece-merges.js";
import { readGgufTokenizer } from "./tokenizer.js";
import {
  type BpeParts,
  cannotExport,
  type JsonObject,
  readBpe,
  stepsOf,
  type TokenizerSource,
} from "./tokenizer-parts.js";

/** Options of {@link tokenizerFields}. */
export interface TokenizerFieldsOptions {
  /** Rows of the embedding table: each needs a token. */
  readonly rows: number;
  /** Whether texts begin with the beginning-of-sequence token. */
  readonly addsBegin: boolean;
  /** The token that ends an answer, where it is not the end-of-sequence token. */
  readonly endOfTurn?: number;
  /** Jinja; default: the one of tokenizer_config.json. Null: none. */
  readonly chatTemplate?: string | null;
}

const kinds = { normal: 1, unknown: 2, control: 3, userDefined: 4, unused: 5, byte: 6 } as const;

/**
 * The fields of a tokenizer in a GGUF file: byte-level BPE (`gpt2`), or SentencePiece's BPE with bytes (`llama`).
 *
 * @throws `BasicError` `E_TOKENIZER` for a tokenizer of another kind, for splits of texts that llama.cpp does not have, or
 *   for more tokens than rows.
 */
export function tokenizerFields(source: TokenizerSource, options: TokenizerFieldsOptions): GgufFieldValues {
  const parts = readBpe(source.tokenizer);
  const tokens = listTokens(parts, options.rows);
  const special = specialFields(source.config, tokens);
  const fields = {
    "tokenizer.ggml.model": string(parts.kind),
    "tokenizer.ggml.pre": string(parts.kind === "gpt2" ? nameOfPreTokenizer(source.tokenizer) : "default"),
    "tokenizer.ggml.tokens": strings(tokens.map(({ content }) => content)),
    "tokenizer.ggml.token_type": int32s(tokens.map(({ kind }) => kind)),
    ...(parts.kind === "gpt2"
      ? { "tokenizer.ggml.merges": strings(parts.merges.map((merge) => merge.join(" "))) }
      : sentencePieceFields(parts, source.tokenizer, tokens)),
    ...special,
    ...(options.endOfTurn !== undefined &&
      options.endOfTurn !== special["tokenizer.ggml.eos_token_id"]?.value && {
        "tokenizer.ggml.eot_token_id": uint32(options.endOfTurn),
      }),
    "tokenizer.ggml.add_bos_token": bool(options.addsBegin),
    "tokenizer.ggml.add_eos_token": bool(source.config["add_eos_token"] === true),
    ...templateField(source.config, options),
  };
  if (parts.kind === "gpt2") checkSplits(fields, parts);
  return fields;
}

interface Token {
  readonly content: string;
  readonly kind: number;
}

function listTokens({ vocabulary, added, unknown, kind }: BpeParts, rows: number): readonly Token[] {
  const tokens: (Token | undefined)[] = Array.from({ length: rows });
  const put = (id: number, token: Token): void => {
    if (id >= rows) {
      throw cannotExport(
        `it has the token ${JSON.stringify(token.content)} with the id ${id}, but the embedding table has ${rows} rows`,
      );
    }
    tokens[id] = token;
  };
  for (const [content, id] of vocabulary) {
    const isByte = kind === "llama" && /^<0x[\dA-F]{2}>$/.test(content);
    put(id, { content, kind: content === unknown ? kinds.unknown : isByte ? kinds.byte : kinds.normal });
  }
  for (const { id, content, special } of added) {
    if (tokens[id]?.kind === kinds.unknown) continue;
    put(id, { content, kind: special ? kinds.control : kinds.userDefined });
  }
  return tokens.map((token, id) => token ?? { content: `[PAD${id}]`, kind: kinds.unused });
}

/** SentencePiece merges by score, tokenizer.json by order: the score of a token is the place of its first merge. */
function sentencePieceFields(
  { merges }: BpeParts,
  tokenizer: JsonObject,
  tokens: readonly Token[],
): GgufFieldValues {
  const places = new Map<string, number>();
  for (const [place, merge] of merges.entries()) {
    const content = merge.join("");
    if (!places.has(content)) places.set(content, place);
  }
  const scores = tokens.map(({ content, kind }) => {
    if (kind === kinds.control || kind === kinds.unknown || kind === kinds.byte) return 0;
    return -(places.get(content) ?? merges.length);
  });
  checkMerges(merges, tokens, scores);
  const normalizers = stepsOf(tokenizer["normalizer"], "normalizers");
  const metaspaces = stepsOf(tokenizer["pre_tokenizer"], "pretokenizers").filter(
    ({ type }) => type === "Metaspace",
  );
  const addsSpace =
    normalizers.some(({ type }) => type === "Prepend") ||
    metaspaces.some((step) => step["prepend_scheme"] !== "never");
  return {
    "tokenizer.ggml.scores": float32s(scores),
    "tokenizer.ggml.add_space_prefix": bool(addsSpace),
  };
}

/** Whether the scores bring back the merges: each way to make a token, those of one token at the same rank. */
function checkMerges(
  merges: readonly (readonly [string, string])[],
  tokens: readonly Token[],
  scores: readonly number[],
): void {
  const mergeable = tokens.map(({ kind }) => kind === kinds.normal || kind === kinds.userDefined);
  const pieces = { tokens: tokens.map(({ content }) => content), scores, mergeable };
  const read = mergesByScore(pieces, "tokenizer.json");
  const wanted = new Set(merges.map((merge) => merge.join(" ")));
  const extra = read.find((merge) => !wanted.has(merge.join(" ")));
  const order = (list: readonly (readonly [string, string])[]): string =>
    list
      .map((merge) => merge.join(""))
      .filter((content, i, all) => content !== all[i - 1])
      .join("\n");
  if (extra === undefined && order(read) === order(merges)) return;
  throw cannotExport(
    extra === undefined
      ? "its merges are not in the order of scores, as SentencePiece's are"
      : `SentencePiece would also merge ${JSON.stringify(extra[0])} and ${JSON.stringify(extra[1])}`,
  );
}

function specialFields(config: JsonObject, tokens: readonly Token[]): GgufFieldValues {
  const ids = new Map(tokens.map(({ content }, id) => [content, id]));
  const names = { bos: "bos_token", eos: "eos_token", unknown: "unk_token", padding: "pad_token" };
  return Object.fromEntries(
    Object.entries(names).flatMap(([name, key]) => {
      const token = config[key];
      const content = typeof token === "object" && token !== null ? (token as JsonObject)["content"] : token;
      const id = typeof content === "string" ? ids.get(content) : undefined;
      return id === undefined ? [] : [[`tokenizer.ggml.${name}_token_id`, uint32(id)] as const];
    }),
  );
}

function templateField(config: JsonObject, { chatTemplate }: TokenizerFieldsOptions): GgufFieldValues {
  const own = config["chat_template"];
  const template = chatTemplate === undefined && typeof own === "string" ? own : chatTemplate;
  return typeof template === "string" ? { "tokenizer.chat_template": string(template) } : {};
}

/** A merge with a space in one of its parts would be read in two others. */
function checkSplits(fields: GgufFieldValues, { merges }: BpeParts): void {
  const read = readGgufTokenizer(describeGguf(fields, [], "the GGUF file"))?.tokenizer["model"] as JsonObject;
  const back = read["merges"] as readonly (readonly [string, string])[];
  const at = back.findIndex((merge, i) => merge.join("\0") !== merges[i]?.join("\0"));
  if (at < 0) return;
  throw cannotExport(`its merge ${JSON.stringify(merges[at])} has a space in a part`);
}
