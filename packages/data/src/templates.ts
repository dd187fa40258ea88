import { BasicError } from "@basic-mllm/core";

import { IMAGE_PLACEHOLDER, type Sample, type Turn } from "./samples.js";
import { encodeSegments, type Segment, type TokenSample } from "./segments.js";
import type { TextTokenizer } from "./tokenizer.js";

/** How a conversation becomes one text. Only answers, and what ends them, are trained. */
export interface Template {
  readonly name: string;
  /** Text at the start. */
  readonly system: string;
  /** Whether what the human says is part of the text. */
  readonly questions: boolean;
  /** Text before a question. */
  readonly user: string;
  /** Text after a question. Generation starts here. */
  readonly assistant: string;
  /** Text between that and the answer, trained as part of it. */
  readonly answerStart: string;
  /** What ends an answer: the end-of-sequence token, or a text. */
  readonly answerEnd: { readonly token: "eos" } | { readonly text: string };
  /** `inline`: at the start of the question that shows them. `first`: before everything but the first token. */
  readonly images: "inline" | "first";
  /** Text after an image. */
  readonly afterImage: string;
}

const EOS = { token: "eos" } as const;

/** The templates that recipes name. */
export const TEMPLATES: Readonly<Record<string, Template>> = {
  plain: {
    name: "plain",
    system: "",
    questions: false,
    user: "",
    assistant: "",
    answerStart: "",
    answerEnd: EOS,
    images: "first",
    afterImage: "",
  },
  "llava-plain": {
    name: "llava-plain",
    system: "",
    questions: false,
    user: "",
    assistant: "",
    answerStart: "",
    answerEnd: { text: "\n" },
    images: "first",
    afterImage: "",
  },
  chat: {
    name: "chat",
    system: "",
    questions: true,
    user: "user: ",
    assistant: " assistant:",
    answerStart: " ",
    answerEnd: EOS,
    images: "first",
    afterImage: "",
  },
  "vicuna-v1": {
    name: "vicuna-v1",
    system:
      "A chat between a curious user and an artificial intelligence assistant. " +
      "The assistant gives helpful, detailed, and polite answers to the user's questions. ",
    questions: true,
    user: "USER: ",
    assistant: " ASSISTANT:",
    answerStart: " ",
    answerEnd: EOS,
    images: "inline",
    afterImage: "\n",
  },
};

/**
 * Finds a template by name.
 *
 * @throws `BasicError` `E_NAME_UNKNOWN` listing the names there are.
 */
export function findTemplate(name: string): Template {
  const template = Object.hasOwn(TEMPLATES, name) ? TEMPLATES[name] : undefined;
  if (template === undefined) {
    const known = Object.keys(TEMPLATES).join(", ");
    throw new BasicError(
      "E_NAME_UNKNOWN",
      `template: expected one of ${known}, got "${name}". Use one of these.`,
    );
  }
  return template;
}

/** Which answers of a conversation have labels: all, for training; the last one, with the others as its context. */
export type LabelledAnswers = "all" | "last";

/**
 * Turns a sample into tokens with label weights.
 *
 * @param answers - Which answers have labels. Default: all.
 * @throws `BasicError` `E_LABELS_MASKED` when nothing would be trained, with the reason;
 *   `E_IMAGE_TOKENS` when the text shows another number of images than the sample has.
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
 * @throws `BasicError` `E_IMAGE_TOKENS` as {@link encodeSample}.
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

/** The stretches of a conversation. A question at the end stays open for an answer. */
export function conversationSegments(
  template: Template,
  sample: Sample,
  answers: LabelledAnswers = "all",
): readonly Segment[] {
  const segments: Segment[] = [{ kind: "begin" }];
  if (template.images === "first") {
    for (const _ of sample.images) segments.push({ kind: "image" }, text(template.afterImage, 0));
  }
  segments.push(text(template.system, 0));
  for (const [i, turn] of sample.conversations.entries()) {
    // A weight of its own keeps an answer apart from its neighbours: the tokens stay those of training.
    const weight = answers === "all" ? 1 : i + 1;
    segments.push(...(turn.from === "human" ? question(template, turn) : answer(template, turn, weight)));
  }
  const merged = mergeText(segments);
  if (answers === "all") return merged;
  const last = sample.conversations.findLastIndex(({ from }) => from === "gpt") + 1;
  return merged.map((segment) =>
    "weight" in segment
      ? { ...segment, weight: segment.weight > 0 && segment.weight === last ? 1 : 0 }
      : segment,
  );
}

function question(template: Template, turn: Turn): readonly Segment[] {
  const said = turn.value.replaceAll(IMAGE_PLACEHOLDER, "").trim();
  const images = template.images === "inline" ? Array.from({ length: countImages(turn) }) : [];
  const shown = images.flatMap((): Segment[] => [{ kind: "image" }, text(template.afterImage, 0)]);
  if (!template.questions) return shown;
  return [text(template.user, 0), ...shown, text(said, 0), text(template.assistant, 0)];
}

function answer(template: Template, turn: Turn, weight: number): readonly Segment[] {
  const said = turn.value.trim();
  if (said === "") return [];
  const end: Segment =
    "token" in template.answerEnd ? { kind: "end", weight } : text(template.answerEnd.text, weight);
  return [text(`${template.answerStart}${said}`, weight), end];
}

function text(value: string, weight: number): Segment {
  return { kind: "text", text: value, weight };
}

/** Neighbouring texts of one weight are one text, so that words are not cut between them. */
function mergeText(segments: readonly Segment[]): readonly Segment[] {
  const merged: Segment[] = [];
  for (const segment of segments) {
    const last = merged.at(-1);
    if (segment.kind === "text" && segment.text === "") continue;
    if (segment.kind === "text" && last?.kind === "text" && last.weight === segment.weight) {
      merged[merged.length - 1] = text(last.text + segment.text, segment.weight);
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
