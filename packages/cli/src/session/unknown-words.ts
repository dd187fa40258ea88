import { countUnknownWords, type Sample, type TextTokenizer, type UnknownWords } from "@basic-mllm/data";

import { decimals } from "../tables.js";

/** Unknown words that a warning names. */
const NAMED = 8;

/**
 * A warning about words that the tokenizer cannot spell; undefined where it knows all of them.
 *
 * @param where - Whose words: `set "chat"`.
 */
export function unknownWordsWarning(
  where: string,
  { words, unknown, frequent }: UnknownWords,
): string | undefined {
  if (unknown === 0) return undefined;
  const named = frequent.slice(0, NAMED).map(({ word, count }) => `${word} (${count})`);
  const more = frequent.length > named.length ? `, and ${frequent.length - named.length} more` : "";
  return (
    `${where}: ${decimals((100 * unknown) / words, 1)} % of the words (${unknown} of ${words}) are not in the tokenizer's vocabulary, ` +
    `and the model sees the same unknown token for all of them: ${named.join(", ")}${more}. ` +
    "Write them with words that the tokenizer knows, or use a model whose tokenizer knows them."
  );
}

/** Those warnings for sets of samples. */
export function unknownWordsWarnings(
  tokenizer: TextTokenizer,
  sets: Iterable<{ readonly name: string; readonly samples: readonly Sample[] }>,
): readonly string[] {
  return [...sets].flatMap(({ name, samples }) => {
    return unknownWordsWarning(`set "${name}"`, countUnknownWords(tokenizer, samples)) ?? [];
  });
}
