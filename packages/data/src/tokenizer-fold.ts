import { BasicError } from "@basic-mllm/core";

import { tokenText } from "./tokenizer.js";
import type { JsonObject } from "./tokenizer-exact.js";

/** The two files that say all about a tokenizer, parsed: to use it, and to save it beside a model. */
export interface TokenizerFiles {
  readonly "tokenizer.json": object;
  readonly "tokenizer_config.json": object;
}

/** The files of a model folder, parsed. */
export interface TokenizerSideFiles {
  readonly "tokenizer.json": object;
  readonly "tokenizer_config.json"?: object;
  readonly "special_tokens_map.json"?: object;
  readonly "added_tokens.json"?: object;
}

interface AddedEntry {
  readonly id: number;
  readonly content: string;
  readonly [field: string]: unknown;
}

const NAMED_TOKENS = [
  "bos_token",
  "eos_token",
  "unk_token",
  "pad_token",
  "additional_special_tokens",
] as const;

/**
 * Puts what the side files of a tokenizer say into its two main files, by the rules of transformers: the config wins
 * over `special_tokens_map.json`, a chat template in a file of its own over the config's.
 *
 * @throws `BasicError` `E_TOKENIZER` where two files give one token different ids.
 */
export function foldTokenizerFiles(files: TokenizerSideFiles, chatTemplate?: unknown): TokenizerFiles {
  const tokenizer = files["tokenizer.json"] as JsonObject;
  const config = (files["tokenizer_config.json"] ?? {}) as JsonObject;
  const map = (files["special_tokens_map.json"] ?? {}) as JsonObject;
  const named = NAMED_TOKENS.filter((name) => (config[name] ?? null) === null && name in map);
  return {
    "tokenizer.json": withAddedTokens(tokenizer, [
      ...decoderEntries(config["added_tokens_decoder"]),
      ...plainEntries(files["added_tokens.json"]),
    ]),
    "tokenizer_config.json": {
      ...config,
      ...Object.fromEntries(named.map((name) => [name, map[name]])),
      ...(chatTemplate !== undefined && { chat_template: chatTemplate }),
    },
  };
}

/** `added_tokens_decoder` of tokenizer_config.json: an object by id. */
function decoderEntries(decoder: unknown): readonly AddedEntry[] {
  return Object.entries((decoder ?? {}) as JsonObject).flatMap(([id, entry]) => {
    const content = tokenText(entry);
    return content === undefined ? [] : [{ ...(entry as JsonObject), id: Number(id), content }];
  });
}

/** `added_tokens.json`: ids by token. */
function plainEntries(tokens: object | undefined): readonly AddedEntry[] {
  return Object.entries(tokens ?? {}).map(([content, id]) => ({
    id: Number(id),
    content,
    single_word: false,
    lstrip: false,
    rstrip: false,
    normalized: true,
    special: false,
  }));
}

function withAddedTokens(tokenizer: JsonObject, entries: readonly AddedEntry[]): JsonObject {
  const added = Array.isArray(tokenizer["added_tokens"]) ? (tokenizer["added_tokens"] as AddedEntry[]) : [];
  const known = new Map(added.map((entry) => [entry.content, entry.id]));
  const fresh: AddedEntry[] = [];
  for (const entry of entries) {
    const id = known.get(entry.content) ?? vocabularyId(tokenizer, entry.content) ?? entry.id;
    if (id !== entry.id) {
      throw new BasicError(
        "E_TOKENIZER",
        `tokenizer: the token ${JSON.stringify(entry.content)} has the id ${id} in tokenizer.json and ${entry.id} in ` +
          "tokenizer_config.json or added_tokens.json. Download the files again, all of one revision.",
      );
    }
    if (known.has(entry.content)) continue;
    known.set(entry.content, id);
    fresh.push(entry);
  }
  return fresh.length === 0 ? tokenizer : { ...tokenizer, added_tokens: [...added, ...fresh] };
}

function vocabularyId(tokenizer: JsonObject, content: string): number | undefined {
  const { vocab } = (tokenizer["model"] ?? {}) as { vocab?: unknown };
  if (Array.isArray(vocab)) {
    const index = vocab.findIndex((entry) => Array.isArray(entry) && entry[0] === content);
    return index < 0 ? undefined : index;
  }
  const ids = (vocab ?? {}) as Readonly<Record<string, unknown>>;
  return Object.hasOwn(ids, content) ? Number(ids[content]) : undefined;
}
