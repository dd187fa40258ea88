import { BasicError } from "@basic-mllm/core";

import { IMAGE_PLACEHOLDER, type Sample } from "./samples.js";
import { IMAGE_SLOT } from "./segments.js";
import { LAYOUTS, type TemplateLayout } from "./template-layouts.js";
import { conversationSegments, type Template } from "./templates.js";
import type { TextTokenizer } from "./tokenizer.js";

/** A token that LLaVA does not train. */
export const IGNORE_INDEX = -100;

/** Tokens and labels as LLaVA's own preprocessing gives them. */
export interface LlavaLabels {
  /** Token ids; {@link IMAGE_SLOT} for each image. */
  readonly ids: Int32Array;
  /** Of the same length: the token's own id where it is trained, else {@link IGNORE_INDEX}. */
  readonly labels: Int32Array;
  /** LLaVA's "tokenization mismatch": it counted another number of tokens than there are, and ignores the sample. */
  readonly mismatch: { readonly counted: number; readonly tokens: number } | null;
}

/**
 * Tokens and labels by LLaVA's rule: the whole text is tokenised, its rounds and instructions are tokenised once more,
 * and their lengths say what is masked (`preprocess_plain`, `preprocess_v1` and `preprocess_llama_2` of
 * llava/train/train.py). For comparison with {@link encodeSample}, which needs no second tokenisation and gives the
 * same wherever this rule does not fail.
 *
 * @throws `BasicError` `E_CONFIG` for a template that LLaVA has no such rule for.
 */
export function llavaLabels(template: Template, tokenizer: TextTokenizer, sample: Sample): LlavaLabels {
  const layout = LAYOUTS.find(({ name }) => name === template.name);
  if (layout?.name === "llava-plain") return plainLabels(template, tokenizer, sample);
  if (layout === undefined || layout.answerStart !== " " || layout.images !== "inline") {
    throw new BasicError(
      "E_CONFIG",
      `llavaLabels: expected llava-plain or a template whose answers follow a space (vicuna-v1, llava-v1, phi, llama-2, ` +
        `mistral-instruct), got "${template.name}". Use encodeSample, whose labels need no such rule.`,
    );
  }
  return roundLabels(layout, { text: wholeText(template, tokenizer, sample), tokenizer });
}

/** The text of a conversation with its special tokens spelled out; the first one is the tokenizer's to add. */
function wholeText(template: Template, tokenizer: TextTokenizer, sample: Sample): string {
  const spell = (id: number | null): string => (id === null ? "" : (tokenizer.token(id) ?? ""));
  const pieces = conversationSegments(template, sample).map((segment, i) => {
    if (segment.kind === "text") return segment.text;
    if (segment.kind === "image") return IMAGE_PLACEHOLDER;
    if (segment.kind === "end") return spell(tokenizer.special.eos);
    return i === 0 ? "" : spell(tokenizer.special.bos);
  });
  return pieces.join("");
}

/** LLaVA's `tokenizer_image_token`: each piece between images is tokenised as a text of its own. */
function withImages(tokenizer: TextTokenizer, text: string): readonly number[] {
  const { bos } = tokenizer.special;
  const begin = tokenizer.addsBegin && bos !== null ? [bos] : [];
  const pieces = text.split(IMAGE_PLACEHOLDER).map((piece) => tokenizer.encode(piece));
  return [...begin, ...pieces.flatMap((ids, i) => (i === 0 ? ids : [IMAGE_SLOT, ...ids]))];
}

function plainLabels(template: Template, tokenizer: TextTokenizer, sample: Sample): LlavaLabels {
  const ids = withImages(tokenizer, wholeText(template, tokenizer, sample));
  const masked = withImages(tokenizer, IMAGE_PLACEHOLDER.repeat(sample.images.length)).length;
  return labelled(ids, (_, i) => i >= masked, null);
}

function roundLabels(
  layout: TemplateLayout,
  { text, tokenizer }: { readonly text: string; readonly tokenizer: TextTokenizer },
): LlavaLabels {
  const ids = withImages(tokenizer, text);
  const separator = layout.assistant + layout.answerStart;
  const end = endText(layout, tokenizer);
  // A word after a special token has no space in front where the tokenizer is not "legacy": one token less by LLaVA's count.
  const spaced = tokenizer.encode("a", "section").join() === tokenizer.encode("a", "start").join();
  const trained = new Set<number>();
  let counted = 1;
  for (const [i, round] of text.split(end).entries()) {
    const [instruction, answer, ...more] = round.split(separator);
    if (round === "" || instruction === undefined || answer === undefined || more.length > 0) break;
    const less = i > 0 && !spaced ? 1 : 0;
    const length = withImages(tokenizer, round).length - less;
    const masked = withImages(tokenizer, instruction + separator).length - 2 - less;
    for (let token = counted + masked; token < counted + length; token++) trained.add(token);
    counted += length;
  }
  const mismatch = counted === ids.length ? null : { counted, tokens: ids.length };
  return labelled(ids, (_, i) => mismatch === null && trained.has(i), mismatch);
}

function endText(layout: TemplateLayout, { special, token }: TextTokenizer): string {
  const last = layout.answerEnd.at(-1);
  if (typeof last === "object") return last.text;
  return (special.eos === null ? null : token(special.eos)) ?? "</s>";
}

function labelled(
  ids: readonly number[],
  trained: (id: number, index: number) => boolean,
  mismatch: LlavaLabels["mismatch"],
): LlavaLabels {
  const labels = ids.map((id, i) => (trained(id, i) ? id : IGNORE_INDEX));
  return { ids: Int32Array.from(ids), labels: Int32Array.from(labels), mismatch };
}
