import { IMAGE_PLACEHOLDER } from "./samples.js";
import { IMAGE_SLOT, type TokenSample } from "./segments.js";
import type { TextTokenizer } from "./tokenizer.js";

/** What a token adds to the text of its sample. */
export interface TokenPiece {
  /** With its spaces and line ends; for special tokens their names. */
  readonly text: string;
  /** Several where a letter is spread over tokens. {@link IMAGE_SLOT} for an image. */
  readonly ids: readonly number[];
  readonly kind: "text" | "special" | "image";
  /** Whether it has a label. */
  readonly supervised: boolean;
}

/** Stands where a letter is not complete yet. */
const INCOMPLETE = "\uFFFD";

/** The tokens of a sample as pieces of text. Every token is in one of them, in order. */
export function tokenPieces(
  tokenizer: TextTokenizer,
  { ids, weights }: Pick<TokenSample, "ids" | "weights">,
): readonly TokenPiece[] {
  const pieces: TokenPiece[] = [];
  let before: readonly number[] = [];
  let waiting: number[] = [];
  const push = (text: string, kind: TokenPiece["kind"], supervised: boolean): void => {
    pieces.push({ text, ids: waiting, kind, supervised });
    before = kind === "text" ? waiting : [];
    waiting = [];
  };
  for (const [i, id] of ids.entries()) {
    waiting.push(id);
    const supervised = (weights[i] as number) > 0;
    if (id === IMAGE_SLOT) push(IMAGE_PLACEHOLDER, "image", supervised);
    else if (isSpecial(tokenizer, id)) push(tokenizer.word(id), "special", supervised);
    else {
      const text = addedText(tokenizer, before, waiting);
      const next = ids[i + 1];
      const ends = next === undefined || next === IMAGE_SLOT || isSpecial(tokenizer, next);
      const changes = (weights[i + 1] ?? 0) > 0 !== supervised;
      if (!text.endsWith(INCOMPLETE) || ends || changes) push(text, "text", supervised);
    }
  }
  return pieces;
}

/** The text that tokens add after others; decoders that rewrite what stood before give their own text. */
function addedText(tokenizer: TextTokenizer, before: readonly number[], ids: readonly number[]): string {
  const start = tokenizer.decode(before);
  const whole = tokenizer.decode([...before, ...ids]);
  return whole.startsWith(start) ? whole.slice(start.length) : tokenizer.decode(ids);
}

/** Twice, since a decoder may drop a space at the start: a special token gives nothing either way. */
function isSpecial(tokenizer: TextTokenizer, id: number): boolean {
  return id !== IMAGE_SLOT && tokenizer.decode([id, id]) === "";
}
