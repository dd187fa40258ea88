import { BasicError } from "@basic-mllm/core";

import type { TextTokenizer } from "./tokenizer.js";
import type { JsonObject } from "./tokenizer-exact.js";
import type { TokenizerFiles } from "./tokenizer-fold.js";

/** A tokenizer with special tokens added, and their ids. */
export interface ExtendedTokenizer {
  readonly files: TokenizerFiles;
  /** Id of each token that was asked for. */
  readonly ids: Readonly<Record<string, number>>;
  /** Those that were not there before. */
  readonly added: readonly string[];
  /** Rows that the embedding table needs: one more than the largest id. */
  readonly rows: number;
}

/** Roles that special tokens have in tokenizer_config.json. */
export interface SpecialTokenNames {
  /** Marks an image, usually `<image>`; `image_token` of the config. */
  readonly image?: string;
  /** Fills up rows, usually `<pad>`; `pad_token` of the config. */
  readonly pad?: string;
}

/**
 * Adds special tokens after the last id of a tokenizer, as LLaVA's conversion does (`<image>`, then `<pad>`). Tokens
 * that are there keep their id.
 */
export function addSpecialTokens(files: TokenizerFiles, names: SpecialTokenNames): ExtendedTokenizer {
  const tokenizer = files["tokenizer.json"] as JsonObject;
  const entries = [
    ...((tokenizer["added_tokens"] ?? []) as { readonly id: number; readonly content: string }[]),
  ];
  const known = new Map([
    ...vocabularyOf(tokenizer),
    ...entries.map(({ id, content }): [string, number] => [content, id]),
  ]);
  let rows = 0;
  for (const id of known.values()) rows = Math.max(rows, id + 1);
  const wanted = [names.image, names.pad].filter((token) => token !== undefined);
  const added = wanted.filter((token) => !known.has(token));
  for (const token of wanted) {
    if (!known.has(token)) known.set(token, rows++);
    if (entries.some(({ content }) => content === token)) continue;
    entries.push({ id: known.get(token) as number, content: token, ...SPECIAL });
  }
  return {
    files: {
      "tokenizer.json": { ...tokenizer, added_tokens: entries },
      "tokenizer_config.json": {
        ...files["tokenizer_config.json"],
        ...(names.image !== undefined && { image_token: names.image }),
        ...(names.pad !== undefined && { pad_token: names.pad }),
      },
    },
    ids: Object.fromEntries(wanted.map((token) => [token, known.get(token) as number])),
    added,
    rows,
  };
}

const SPECIAL = { single_word: false, lstrip: false, rstrip: false, normalized: false, special: true };

function vocabularyOf(tokenizer: JsonObject): readonly [string, number][] {
  const { vocab } = (tokenizer["model"] ?? {}) as { vocab?: unknown };
  if (Array.isArray(vocab)) {
    return vocab.map((entry: readonly [string, number], id): [string, number] => [entry[0], id]);
  }
  return Object.entries((vocab ?? {}) as Readonly<Record<string, number>>);
}

/**
 * Whether every id of a tokenizer has a row in a model's embedding table. A table may be longer: many are padded.
 *
 * @param rows - Rows of the table.
 * @param model - Name of the model, for the message.
 * @throws `BasicError` `E_TOKENIZER` where the table is too short: it must grow, or the tokenizer is another model's.
 */
export function checkVocabulary(tokenizer: TextTokenizer, rows: number, model: string): void {
  if (tokenizer.size <= rows) return;
  const beyond = [...tokenizer.added.values()].filter(({ id }) => id >= rows).map(({ content }) => content);
  const which = beyond.length === 0 ? "" : `, among them ${beyond.slice(0, 4).join(", ")}`;
  throw new BasicError(
    "E_TOKENIZER",
    `tokenizer: expected at most ${rows} tokens, the rows of the embedding table of "${model}", got ids up to ` +
      `${tokenizer.size - 1}: no row for ${tokenizer.size - rows} of them${which}. Use the model's own tokenizer; ` +
      `where tokens were added, the table must grow to ${tokenizer.size} rows first.`,
  );
}

/**
 * The id of the image token.
 *
 * @throws `BasicError` `E_TOKENIZER` where the tokenizer has none.
 */
export function requireImageToken({ special }: TextTokenizer): number {
  if (special.image !== null) return special.image;
  throw new BasicError(
    "E_TOKENIZER",
    "tokenizer: expected an image token (`image_token` of tokenizer_config.json, or <image>), got none. " +
      "Add one with addSpecialTokens, which says whether the embedding table must grow.",
  );
}
