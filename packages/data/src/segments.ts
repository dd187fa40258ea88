import { BasicError } from "@basic-mllm/core";

import type { AddedToken, TextPlace, TextTokenizer } from "./tokenizer.js";

/** Stands in {@link TokenSample.ids} where an image goes. */
export const IMAGE_SLOT = -1;

/** A stretch of a sample. The weight is that of its labels in the language loss; 0: not trained. */
export type Segment =
  | { readonly kind: "text"; readonly text: string; readonly weight: number }
  | { readonly kind: "begin" }
  | { readonly kind: "end"; readonly weight: number }
  | { readonly kind: "image" };

/** A sample as tokens, before its images have a size. */
export interface TokenSample {
  readonly id: string;
  /** Token ids; {@link IMAGE_SLOT} for each image. */
  readonly ids: Int32Array;
  /** Of the same length: weight of each token as a label. 0: not trained. */
  readonly weights: Float32Array;
  /** Image files, one for each slot. */
  readonly images: readonly string[];
}

/**
 * Turns stretches of text into tokens, each on its own, so that label spans are exact by construction. What stands
 * before a stretch decides about the space that SentencePiece tokenizers put in front of it; after an image a text
 * begins anew, as in LLaVA.
 *
 * @throws `BasicError` `E_TOKENIZER` when an end is wanted and the tokenizer has no end-of-sequence token.
 */
export function encodeSegments(
  tokenizer: TextTokenizer,
  segments: readonly Segment[],
): Pick<TokenSample, "ids" | "weights"> {
  const ids: number[] = [];
  const weights: number[] = [];
  for (const [i, segment] of segments.entries()) {
    // The token at the very beginning is not part of the text: a space belongs after it.
    const before = i === 1 && segments[0]?.kind === "begin" ? undefined : ids.at(-1);
    const weight = "weight" in segment ? segment.weight : 0;
    for (const id of tokensOf(tokenizer, segment, { before, after: segments[i + 1] })) {
      ids.push(id);
      weights.push(weight);
    }
  }
  return { ids: Int32Array.from(ids), weights: Float32Array.from(weights) };
}

/** What stands beside a stretch: the token before it, and the next stretch. */
interface Neighbours {
  readonly before: number | undefined;
  readonly after: Segment | undefined;
}

function tokensOf(tokenizer: TextTokenizer, segment: Segment, beside: Neighbours): readonly number[] {
  switch (segment.kind) {
    case "image":
      return [IMAGE_SLOT];
    case "end":
      return [endToken(tokenizer)];
    case "begin":
      return beginTokens(tokenizer);
    case "text":
      return tokenizer.encode(
        besideTokens(tokenizer, segment.text, beside),
        placeAfter(tokenizer, beside.before),
      );
  }
}

function beginTokens({ addsBegin, special }: TextTokenizer): readonly number[] {
  return addsBegin && special.bos !== null ? [special.bos] : [];
}

function placeAfter(tokenizer: TextTokenizer, before: number | undefined): TextPlace {
  if (before === undefined || before === IMAGE_SLOT) return "start";
  return addedToken(tokenizer, before) === undefined ? "inside" : "section";
}

/** Without the white space that special tokens beside a stretch take along. */
function besideTokens(tokenizer: TextTokenizer, text: string, { before, after }: Neighbours): string {
  const left = before === undefined ? undefined : addedToken(tokenizer, before);
  const right = after?.kind === "text" ? firstAdded(tokenizer, after.text) : undefined;
  const begun = left?.rstrip === true ? text.trimStart() : text;
  return right?.lstrip === true ? begun.trimEnd() : begun;
}

function addedToken(tokenizer: TextTokenizer, id: number): AddedToken | undefined {
  const content = id === IMAGE_SLOT ? null : tokenizer.token(id);
  return content === null ? undefined : tokenizer.added.get(content);
}

/** The special token that a text begins with. */
function firstAdded({ added }: TextTokenizer, text: string): AddedToken | undefined {
  return [...added.values()].find(({ lstrip, content }) => lstrip && text.startsWith(content));
}

function endToken({ special }: TextTokenizer): number {
  if (special.eos === null) {
    throw new BasicError(
      "E_TOKENIZER",
      "tokenizer: the template ends answers with the end-of-sequence token, and this tokenizer names none. " +
        "Add `eos_token` to tokenizer_config.json, or use a template that ends answers with text.",
    );
  }
  return special.eos;
}
