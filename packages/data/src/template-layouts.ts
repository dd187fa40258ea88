import { IMAGE_PLACEHOLDER, type Sample, type Turn } from "./samples.js";
import type { Segment } from "./segments.js";

/** What stands at the end of an answer. */
export type AnswerEnd = "eos" | { readonly text: string };

/** A template whose pieces of text are the same for every conversation. */
export interface TemplateLayout {
  readonly name: string;
  /** Where the text is from. */
  readonly source: string;
  /** Special tokens in its text. */
  readonly needs: readonly string[];
  /** Text at the start. */
  readonly system: string;
  /** Whether what the human says is part of the text. */
  readonly questions: boolean;
  /** Text before a question. */
  readonly user: string;
  /** Text before the first question, where it differs; the later ones then follow a beginning-of-sequence token. */
  readonly firstUser?: string;
  /** Text after a question. Generation starts here. */
  readonly assistant: string;
  /** Text between that and the answer, trained as part of it. */
  readonly answerStart: string;
  /** What ends an answer, trained as part of it. */
  readonly answerEnd: readonly AnswerEnd[];
  /** Text after an answer, not trained. */
  readonly afterAnswer: string;
  /** `inline`: at the start of the question that shows them. `first`: before everything but the first token. */
  readonly images: "inline" | "first";
  /** Text between an image and what follows it in a question. */
  readonly afterImage: string;
}

const BARE: TemplateLayout = {
  name: "",
  source: "",
  needs: [],
  system: "",
  questions: true,
  user: "",
  assistant: "",
  answerStart: "",
  answerEnd: ["eos"],
  afterAnswer: "",
  images: "inline",
  afterImage: "\n",
};

const CURIOUS_USER =
  "A chat between a curious user and an artificial intelligence assistant. " +
  "The assistant gives helpful, detailed, and polite answers to the user's questions. ";
const CURIOUS_HUMAN =
  "A chat between a curious human and an artificial intelligence assistant. " +
  "The assistant gives helpful, detailed, and polite answers to the human's questions. ";
const RESPECTFUL =
  "You are a helpful, respectful and honest assistant. Always answer as helpfully as possible, while being safe.  " +
  "Your answers should not include any harmful, unethical, racist, sexist, toxic, dangerous, or illegal content. " +
  "Please ensure that your responses are socially unbiased and positive in nature.\n\n" +
  "If a question does not make any sense, or is not factually coherent, explain why instead of answering something " +
  "not correct. If you don't know the answer to a question, please don't share false information.";

const VICUNA: TemplateLayout = {
  ...BARE,
  name: "vicuna-v1",
  source: "LLaVA, llava/conversation.py, conv_vicuna_v1",
  system: CURIOUS_USER,
  user: "USER: ",
  assistant: " ASSISTANT:",
  answerStart: " ",
};
const CHATML = ["<|im_start|>", "<|im_end|>"];
const INSTRUCT = { assistant: " [/INST]", answerStart: " ", answerEnd: [{ text: " " }, "eos"] } as const;

/** The templates that recipes name. */
export const LAYOUTS: readonly TemplateLayout[] = [
  { ...BARE, name: "plain", source: "basic-mllm", questions: false, images: "first", afterImage: "" },
  {
    ...BARE,
    name: "llava-plain",
    source: "LLaVA, llava/conversation.py, conv_llava_plain",
    questions: false,
    answerEnd: [{ text: "\n" }],
    images: "first",
    afterImage: "",
  },
  {
    ...BARE,
    name: "chat",
    source: "basic-mllm",
    user: "user: ",
    assistant: " assistant:",
    answerStart: " ",
    images: "first",
    afterImage: "",
  },
  VICUNA,
  {
    ...VICUNA,
    name: "llava-v1",
    source: "LLaVA, llava/conversation.py, conv_llava_v1",
    system: CURIOUS_HUMAN,
  },
  {
    ...BARE,
    ...INSTRUCT,
    name: "llama-2",
    source: "LLaVA, llava/conversation.py, conv_llama_2",
    system: `[INST] <<SYS>>\n${RESPECTFUL}\n<</SYS>>\n\n`,
    user: "[INST] ",
    firstUser: "",
  },
  {
    ...BARE,
    ...INSTRUCT,
    name: "mistral-instruct",
    source: "LLaVA 1.6, llava/conversation.py, conv_mistral_instruct",
    user: "[INST] ",
  },
  {
    ...BARE,
    name: "chatml",
    source: "LLaVA 1.6, llava/conversation.py, conv_chatml_direct",
    needs: CHATML,
    system: "<|im_start|>system\nAnswer the questions.<|im_end|>",
    user: "<|im_start|>user\n",
    assistant: "<|im_end|><|im_start|>assistant\n",
    answerEnd: [{ text: "<|im_end|>" }],
  },
  {
    ...VICUNA,
    name: "phi",
    source: "TinyLLaVA Factory, tinyllava/data/template/phi_template.py",
    needs: ["<|endoftext|>"],
    answerEnd: [{ text: "<|endoftext|>" }],
  },
  {
    ...BARE,
    name: "gemma",
    source: "Gemma's own chat format; LLaVA-NeXT, llava/conversation.py, conv_gemma_instruct",
    needs: ["<start_of_turn>", "<end_of_turn>"],
    user: "<start_of_turn>user\n",
    assistant: "<end_of_turn>\n<start_of_turn>model\n",
    answerEnd: [{ text: "<end_of_turn>" }],
    afterAnswer: "\n",
  },
  {
    ...BARE,
    name: "qwen2",
    source: "Qwen2's own chat format; LLaVA-NeXT, llava/conversation.py, conv_qwen",
    needs: CHATML,
    system: "<|im_start|>system\nYou are a helpful assistant.<|im_end|>\n",
    user: "<|im_start|>user\n",
    assistant: "<|im_end|>\n<|im_start|>assistant\n",
    answerEnd: [{ text: "<|im_end|>" }],
    afterAnswer: "\n",
  },
];

/** The stretches of a conversation; the weight of an answer is the number of its turn, from 1. */
export function layoutSegments(layout: TemplateLayout, sample: Sample): readonly Segment[] {
  const segments: Segment[] = [{ kind: "begin" }];
  if (layout.images === "first") {
    for (const _ of sample.images) segments.push({ kind: "image" }, text(layout.afterImage, 0));
  }
  segments.push(text(layout.system, 0));
  for (const [i, turn] of sample.conversations.entries()) {
    segments.push(...(turn.from === "human" ? question(layout, turn, i) : answer(layout, turn, i + 1)));
  }
  return segments;
}

function question(layout: TemplateLayout, turn: Turn, index: number): readonly Segment[] {
  const said = turn.value.replaceAll(IMAGE_PLACEHOLDER, "").trim();
  const images = layout.images === "inline" ? turn.value.split(IMAGE_PLACEHOLDER).length - 1 : 0;
  const shown = Array.from({ length: images }).flatMap((_, i): Segment[] => {
    const last = i === images - 1 && (said === "" || !layout.questions);
    return last ? [{ kind: "image" }] : [{ kind: "image" }, text(layout.afterImage, 0)];
  });
  if (!layout.questions) return shown;
  const opening: readonly Segment[] =
    layout.firstUser === undefined
      ? [text(layout.user, 0)]
      : index === 0
        ? [text(layout.firstUser, 0)]
        : [{ kind: "begin" }, text(layout.user, 0)];
  return [...opening, ...shown, text(said, 0), text(layout.assistant, 0)];
}

function answer(layout: TemplateLayout, turn: Turn, weight: number): readonly Segment[] {
  const said = turn.value.trim();
  if (said === "") return [];
  const ends = layout.answerEnd.map((end): Segment => {
    return end === "eos" ? { kind: "end", weight } : text(end.text, weight);
  });
  return [text(`${layout.answerStart}${said}`, weight), ...ends, text(layout.afterAnswer, 0)];
}

function text(value: string, weight: number): Segment {
  return { kind: "text", text: value, weight };
}
