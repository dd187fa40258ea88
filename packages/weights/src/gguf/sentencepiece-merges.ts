import { BasicError } from "@basic-mllm/core";

/** The pieces of a SentencePiece model. */
export interface Pieces {
  readonly tokens: readonly string[];
  /** The higher, the earlier a piece is merged. */
  readonly scores: readonly number[];
  /** Whether a piece can be the result of a merge. */
  readonly mergeable: readonly boolean[];
}

/** Longer ones are no words, and each place to split one is tried. */
const LONGEST_PIECE = 512;

/**
 * The merges of BPE that a SentencePiece model stands for: every way to make a piece of two others, the piece with the
 * higher score first, as SentencePiece merges.
 *
 * @param where - For the message.
 * @throws `BasicError` `E_TOKENIZER` for a piece of more than 512 characters.
 */
export function mergesByScore(
  { tokens, scores, mergeable }: Pieces,
  where: string,
): readonly (readonly [string, string])[] {
  const ids = new Map(tokens.map((token, id) => [token, id]));
  const found: {
    readonly pair: readonly [string, string];
    readonly score: number;
    readonly order: number;
  }[] = [];
  for (const [id, token] of tokens.entries()) {
    if (!mergeable[id]) continue;
    if (token.length > LONGEST_PIECE) {
      throw new BasicError(
        "E_TOKENIZER",
        `${where}: token ${id} has ${token.length} characters, expected at most ${LONGEST_PIECE}. Is the file damaged?`,
      );
    }
    for (let at = 1; at < token.length; at++) {
      const pair = [token.slice(0, at), token.slice(at)] as const;
      const left = ids.get(pair[0]);
      if (left === undefined || !ids.has(pair[1])) continue;
      found.push({ pair, score: scores[id] as number, order: left });
    }
  }
  return found.sort((a, b) => b.score - a.score || a.order - b.order).map(({ pair }) => pair);
}
