import { BasicError, didYouMean } from "@basic-mllm/core";

import { modelTemplate } from "./model-template.js";
import { IMAGE_PLACEHOLDER, type Sample, type Turn } from "./samples.js";
import { encodeSegments, type Segment, type TokenSample } from "./segments.js";
import { LAYOUTS, layoutSegments, type TemplateLayout } from "./template-layouts.js";
import type { TextTokenizer } from "./tokenizer.js";

/** How a conversation becomes one text. Only answers, and what ends them, are trained. */
export interface Template {
  readonly name: string;
  /** Where its text is from. */
  readonly source: string;
  /** Special tokens in its text that a tokenizer must have. */
  readonly needs: readonly string[];
  /** The token that ends an answer; `eos`: the end-of-sequence token. Null: answers end with plain text. */
  readonly stop: string | null;
  /**
   * The stretches of a conversation, in order; a question at the end stays open for an answer. The weight of an
   * answer is the number of its turn, from 1, that of everything else 0.
   */
  readonly segments: (sample: Sample) => readonly Segment[];
}

/** The templates that recipes name; `model` is the model's own, see {@link findTemplate}. */
export const TEMPLATES: Readonly<Record<string, Template>> = Object.fromEntries(
  LAYOUTS.map((layout) => [layout.name, fromLayout(layout)]),
);

/** LLaVA's names for templates that have another one here. */
const ALIASES: Readonly<Record<string, string>> = { v1: "vicuna-v1" };

function fromLayout(layout: TemplateLayout): Template {
  const last = layout.answerEnd.at(-1);
  const text = last === undefined || last === "eos" ? undefined : last.text;
  const stop = text === undefined ? "eos" : layout.needs.includes(text) ? text : null;
  const { name, source, needs } = layout;
  return { name, source, needs, stop, segments: (sample) => layoutSegments(layout, sample) };
}

/**
 * Finds a template by name: one of {@link TEMPLATES} (LLaVA's spelling `vicuna_v1` or `v1` too), or `model` for the
 * chat template that came with the tokenizer; `model:NAME` where it came with several.
 *
 * @param tokenizer - Needed for `model`.
 * @throws `BasicError` `E_NAME_UNKNOWN` listing the names there are; `E_CONFIG` when the model's own template cannot
 *   be used.
 */
export function findTemplate(name: string, tokenizer?: TextTokenizer): Template {
  if (name === "model" || name.startsWith("model:")) return ownTemplate(name, tokenizer);
  const plain = name.replaceAll("_", "-");
  const known = ALIASES[plain] ?? plain;
  const template = Object.hasOwn(TEMPLATES, known) ? TEMPLATES[known] : undefined;
  if (template === undefined) {
    const names = [...Object.keys(TEMPLATES), "model"];
    const near = didYouMean(name, [...names, ...Object.keys(ALIASES)]);
    throw new BasicError(
      "E_NAME_UNKNOWN",
      `template: expected one of ${names.join(", ")}, got "${name}".${near} Use one of these.`,
    );
  }
  return template;
}

function ownTemplate(name: string, tokenizer: TextTokenizer | undefined): Template {
  const templates = tokenizer?.chatTemplates ?? {};
  const wanted = name === "model" ? "default" : name.slice("model:".length);
  const source = Object.hasOwn(templates, wanted) ? templates[wanted] : undefined;
  if (tokenizer === undefined || source === undefined) {
    const names = Object.keys(templates);
    throw new BasicError(
      "E_NAME_UNKNOWN",
      `template "${name}": expected a chat template "${wanted}" in the model's tokenizer_config.json, ` +
        `chat_template.jinja or chat_template.json, got ${names.length === 0 ? "none" : names.join(", ")}. ` +
        `Use ${names.length === 0 ? "" : `model:${names[0]}, or `}one of ${Object.keys(TEMPLATES).join(", ")}.`,
    );
  }
  return modelTemplate(name, source, tokenizer);
}

/** The templates whose special tokens a tokenizer has. */
export function usableTemplates(tokenizer: TextTokenizer): readonly Template[] {
  return Object.values(TEMPLATES).filter(({ needs }) => needs.every((token) => tokenizer.added.has(token)));
}

/** The token at which an answer ends when a model writes it; null where the tokenizer or the template has none. */
export function answerEndToken(template: Template, tokenizer: TextTokenizer): number | null {
  if (template.stop === null || template.stop === "eos") return tokenizer.special.eos;
  return tokenizer.added.get(template.stop)?.id ?? tokenizer.special.eos;
}

/** The first token of an answer where a template asks for it: what a model that answers "yes" writes first. */
export function firstAnswerToken(
  template: Template,
  tokenizer: TextTokenizer,
  answer: string,
): number | undefined {
  const conversations = [
    { from: "human", value: "?" },
    { from: "gpt", value: answer },
  ] as const;
  const { ids, weights } = encodeSample(template, tokenizer, {
    id: answer,
    images: [],
    conversations,
    metadata: {},
  });
  return ids[weights.findIndex((weight) => weight > 0)];
}

/** Which answers of a conversation have labels: all, for training; the last one, with the others as its context. */
export type LabelledAnswers = "all" | "last";

/**
 * Turns a sample into tokens with label weights.
 *
 * @param answers - Which answers have labels. Default: all.
 * @throws `BasicError` `E_LABELS_MASKED` when nothing would be trained, with the reason;
 *   `E_IMAGE_TOKENS` when the text shows another number of images than the sample has; `E_DATA_FORMAT` when human
 *   and gpt do not take turns; `E_TOKENIZER` when the template needs a token that the tokenizer lacks.
 */
export function encodeSample(
  template: Template,
  tokenizer: TextTokenizer,
  sample: Sample,
  answers: LabelledAnswers = "all",
): TokenSample {
  const encoded = encodeConversation(template, tokenizer, sample, answers);
  if (!encoded.weights.some((weight) => weight > 0)) {
    throw new BasicError(
      "E_LABELS_MASKED",
      `sample "${sample.id}": template "${template.name}" trains answers, and ${whyMasked(sample, answers)}. ` +
        "Remove the sample, correct its answers, or choose another template.",
    );
  }
  return encoded;
}

/**
 * The tokens before an answer: what generation starts from. The conversation ends with a question.
 *
 * @throws `BasicError` as {@link encodeSample}, without `E_LABELS_MASKED`.
 */
export function encodePrompt(template: Template, tokenizer: TextTokenizer, sample: Sample): TokenSample {
  return encodeConversation(template, tokenizer, sample, "all");
}

function encodeConversation(
  template: Template,
  tokenizer: TextTokenizer,
  sample: Sample,
  answers: LabelledAnswers,
): TokenSample {
  checkTokens(template, tokenizer);
  checkTurns(sample);
  const shown = sample.conversations.reduce((sum, turn) => sum + countImages(turn), 0);
  if (shown !== sample.images.length) {
    throw new BasicError(
      "E_IMAGE_TOKENS",
      `sample "${sample.id}": expected ${sample.images.length} × ${IMAGE_PLACEHOLDER} in its text, one for each image, ` +
        `got ${shown}. Put ${IMAGE_PLACEHOLDER} where each image belongs.`,
    );
  }
  const encoded = encodeSegments(tokenizer, conversationSegments(template, sample, answers));
  return { id: sample.id, images: sample.images, ...encoded };
}

function checkTokens({ name, needs }: Template, { added }: TextTokenizer): void {
  const absent = needs.filter((token) => !added.has(token));
  if (absent.length === 0) return;
  throw new BasicError(
    "E_TOKENIZER",
    `template "${name}": expected the special tokens ${needs.join(", ")} in the tokenizer, got none for ` +
      `${absent.join(", ")}: they would be cut into pieces that the model has never seen in this place. ` +
      'Use the template of the model\'s family, or "model" where it has its own.',
  );
}

function checkTurns({ id, conversations }: Sample): void {
  for (const [i, { from }] of conversations.entries()) {
    const expected = i % 2 === 0 ? "human" : "gpt";
    if (from === expected) continue;
    throw new BasicError(
      "E_DATA_FORMAT",
      `sample "${id}", conversations[${i}].from: expected "${expected}" (human and gpt take turns), ` +
        `got ${JSON.stringify(from)}. Correct the record.`,
    );
  }
}

/** The stretches of a conversation, with the weights of its labels. A question at the end stays open for an answer. */
export function conversationSegments(
  template: Template,
  sample: Sample,
  answers: LabelledAnswers = "all",
): readonly Segment[] {
  const last = sample.conversations.findLastIndex(({ from }) => from === "gpt") + 1;
  // Merged before weights become equal: the tokens are the same whichever answers have labels.
  return mergeText(template.segments(sample)).map((segment) => {
    if (!("weight" in segment) || segment.weight === 0) return segment;
    return { ...segment, weight: answers === "all" || segment.weight === last ? 1 : 0 };
  });
}

/** Neighbouring texts of one weight are one text, so that words are not cut between them. */
function mergeText(segments: readonly Segment[]): readonly Segment[] {
  const merged: Segment[] = [];
  for (const segment of segments) {
    const last = merged.at(-1);
    if (segment.kind === "text" && segment.text === "") continue;
    if (segment.kind === "text" && last?.kind === "text" && last.weight === segment.weight) {
      merged[merged.length - 1] = { ...last, text: last.text + segment.text };
    } else merged.push(segment);
  }
  return merged;
}

function countImages({ value }: Turn): number {
  return value.split(IMAGE_PLACEHOLDER).length - 1;
}

function whyMasked({ conversations }: Sample, labelled: LabelledAnswers): string {
  const answers = conversations.filter(({ from }) => from === "gpt");
  if (answers.length === 0) return "the conversation has no answer (no turn from gpt)";
  if (answers.every(({ value }) => value.trim() === "")) return "all its answers are empty";
  if (labelled === "last" && answers.at(-1)?.value.trim() === "") return "its last answer is empty";
  return "the tokenizer gives no token for its answers";
}
