import { IMAGE_PLACEHOLDER, type Sample } from "./samples.js";
import type { TextTokenizer } from "./tokenizer.js";

/** Words of samples that a tokenizer cannot spell. */
export interface UnknownWords {
  /** All words of the samples, each as often as it occurs; a sign counts as a word. */
  readonly words: number;
  /** How many of them are unknown. */
  readonly unknown: number;
  /** The unknown ones, the most frequent first. */
  readonly frequent: readonly { readonly word: string; readonly count: number }[];
}

const WORD = /[\p{L}\p{N}]+|[^\s\p{L}\p{N}]/gu;

/**
 * The different words of a text that become the unknown token, in order of appearance; none where the tokenizer has no
 * such token.
 */
export function unknownWordsOf(tokenizer: TextTokenizer, text: string): readonly string[] {
  return [...new Set(text.match(WORD) ?? [])].filter((word) => isUnknown(tokenizer, word));
}

/** Counts the words of samples, and those that become the unknown token. */
export function countUnknownWords(tokenizer: TextTokenizer, samples: readonly Sample[]): UnknownWords {
  const counter = createWordCounter(tokenizer);
  for (const sample of samples) counter.add(sample);
  return counter.result();
}

/** {@link countUnknownWords} for samples that come one by one. Keeps the different words. */
export function createWordCounter(tokenizer: TextTokenizer): {
  add(sample: Sample): void;
  result(): UnknownWords;
} {
  const counts = new Map<string, number>();
  let words = 0;
  return {
    add: ({ conversations }) => {
      for (const { value } of conversations) {
        for (const word of value.replaceAll(IMAGE_PLACEHOLDER, " ").match(WORD) ?? []) {
          counts.set(word, (counts.get(word) ?? 0) + 1);
          words++;
        }
      }
    },
    result: () => {
      const frequent = [...counts]
        .filter(([word]) => isUnknown(tokenizer, word))
        .map(([word, count]) => ({ word, count }))
        .toSorted((a, b) => b.count - a.count);
      return { words, unknown: frequent.reduce((sum, { count }) => sum + count, 0), frequent };
    },
  };
}

function isUnknown(tokenizer: TextTokenizer, word: string): boolean {
  const { unk } = tokenizer.special;
  return unk !== null && tokenizer.encode(word).includes(unk);
}
