import { BasicError } from "@basic-mllm/core";

import type { TextTokenizer } from "./tokenizer.js";

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
 * Turns stretches of text into tokens, each on its own, so that label spans are exact by construction.
 *
 * @throws `BasicError` `E_TOKENIZER` when an end is wanted and the tokenizer has no end-of-sequence token.
 */
export function encodeSegments(
  tokenizer: TextTokenizer,
  segments: readonly Segment[],
): Pick<TokenSample, "ids" | "weights"> {
  const ids: number[] = [];
  const weights: number[] = [];
  const push = (id: number, weight: number): void => {
    ids.push(id);
    weights.push(weight);
  };
  for (const segment of segments) {
    if (segment.kind === "image") push(IMAGE_SLOT, 0);
    else if (segment.kind === "end") push(endToken(tokenizer), segment.weight);
    else if (segment.kind === "text") {
      for (const id of encodeText(tokenizer, segment.text)) push(id, segment.weight);
    } else if (tokenizer.special.bos !== null) push(tokenizer.special.bos, 0);
  }
  return { ids: Int32Array.from(ids), weights: Float32Array.from(weights) };
}

/** A space in front belongs to the first word; tokenizers that add one themselves must not get a second. */
function encodeText(tokenizer: TextTokenizer, text: string): readonly number[] {
  return tokenizer.encode(tokenizer.addsSpace && text.startsWith(" ") ? text.slice(1) : text);
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
