import { readFileSync } from "node:fs";

/** A tokenizer with what the Python library makes of the texts. */
export interface RecordedTokenizer {
  readonly tokenizer: object;
  readonly config: object;
  /** Tokens of each text (of each short one where there is no `decoded`), without special tokens around it. */
  readonly ids: readonly (readonly number[])[];
  /** Whether Python puts the beginning-of-sequence token in front. */
  readonly begins: boolean;
  /** What the tokens read as, without special ones. */
  readonly decoded?: readonly string[];
}

/** A chat template with what transformers makes of the conversations. */
export interface RecordedChat {
  /** Name of the tokenizer. */
  readonly tokenizer: string;
  readonly template: string;
  /** For each conversation. `mask`: 1 inside of `{% generation %}` blocks; null where the template has none. */
  readonly rows: readonly {
    readonly text: string;
    readonly ids: readonly number[];
    readonly mask: readonly number[] | null;
  }[];
}

/** Written by fixtures/record_tokenizers.py. */
export interface Recorded {
  readonly texts: readonly string[];
  /** For tokenizers that show one part of the work. */
  readonly short: readonly string[];
  readonly tokenizers: Readonly<Record<string, RecordedTokenizer>>;
  /** Turns of each conversation, the user first. */
  readonly conversations: readonly (readonly string[])[];
  readonly chats: Readonly<Record<string, RecordedChat>>;
  /** SentencePiece's own tokens of the texts, special tokens read as text. */
  readonly sentencepiece: readonly (readonly number[])[];
}

/** Reads the recorded tokenizers. */
export function readRecorded(): Recorded {
  const file = new URL("fixtures/__golden__/tokenizers.json", import.meta.url);
  const recorded = JSON.parse(readFileSync(file, "utf8")) as Recorded;
  // Tokenizers of one vocabulary name the one that has it.
  for (const { tokenizer } of Object.values(recorded.tokenizers) as { tokenizer: { model: unknown } }[]) {
    if (typeof tokenizer.model !== "string") continue;
    const owner = recorded.tokenizers[tokenizer.model] as RecordedTokenizer;
    tokenizer.model = (owner.tokenizer as { model: unknown }).model;
  }
  return recorded;
}
