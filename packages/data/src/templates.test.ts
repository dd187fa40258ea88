import { describe, expect, it } from "vitest";

import { rejection } from "../test/rejection.js";
import { wordTokenizer } from "../test/word-tokenizer.js";
import type { Sample } from "./samples.js";
import { IMAGE_SLOT, type TokenSample } from "./segments.js";
import { conversationSegments, encodePrompt, encodeSample, findTemplate } from "./templates.js";
import type { TextTokenizer } from "./tokenizer.js";

const tokenizer = wordTokenizer("user : assistant what is it where ? lion topleft");

const sample: Sample = {
  id: "7",
  images: ["a.png"],
  conversations: [
    { from: "human", value: "<image>\nwhat is it?" },
    { from: "gpt", value: "lion" },
    { from: "human", value: "where is it?" },
    { from: "gpt", value: "topleft" },
  ],
  metadata: {},
};

/** Trained tokens in capitals. */
function show({ ids, weights }: TokenSample, { word }: TextTokenizer): string {
  return Array.from(ids, (id, i) => {
    const text = id === IMAGE_SLOT ? "[image]" : word(id);
    return (weights[i] as number) > 0 ? text.toUpperCase() : text;
  }).join(" ");
}

describe("encodeSample", () => {
  it("trains each answer and its end, and nothing else, under chat", () => {
    expect(show(encodeSample(findTemplate("chat"), tokenizer, sample), tokenizer)).toBe(
      "<s> [image] user : what is it ? assistant : LION </S> user : where is it ? assistant : TOPLEFT </S>",
    );
  });

  it("labels the last answer only, with the tokens of training, where it is told so", () => {
    const last = show(encodeSample(findTemplate("chat"), tokenizer, sample, "last"), tokenizer);
    expect(last).toBe(
      "<s> [image] user : what is it ? assistant : lion </s> user : where is it ? assistant : TOPLEFT </S>",
    );
    const segments = conversationSegments(findTemplate("vicuna-v1"), sample, "last");
    const all = conversationSegments(findTemplate("vicuna-v1"), sample);
    expect(segments.map((segment) => ({ ...segment, weight: 0 }))).toEqual(
      all.map((segment) => ({ ...segment, weight: 0 })),
    );
    expect(show(encodeSample(findTemplate("plain"), tokenizer, sample, "last"), tokenizer)).toBe(
      "<s> [image] lion </s> TOPLEFT </S>",
    );
  });

  it("says that the last answer is empty where only that one would have labels", () => {
    const [first, second, third] = sample.conversations;
    const silent = { ...sample, conversations: [first, second, third, { from: "gpt", value: " " }] };
    expect(() => encodeSample(findTemplate("chat"), tokenizer, silent as Sample, "last")).toThrow(
      'sample "7": template "chat" trains answers, and its last answer is empty.',
    );
  });

  it("throws the question away and trains the caption under plain", () => {
    const caption = { ...sample, conversations: sample.conversations.slice(0, 2) };
    expect(show(encodeSample(findTemplate("plain"), tokenizer, caption), tokenizer)).toBe(
      "<s> [image] LION </S>",
    );
  });

  it("writes Vicuna's text as LLaVA does", () => {
    const segments = conversationSegments(findTemplate("vicuna-v1"), sample);
    const text = segments.map((segment) => {
      if (segment.kind === "text") return segment.weight > 0 ? `{${segment.text}}` : segment.text;
      return { begin: "<s>", end: "{</s>}", image: "<image>" }[segment.kind];
    });
    expect(text.join("")).toBe(
      "<s>A chat between a curious user and an artificial intelligence assistant. The assistant gives helpful, " +
        "detailed, and polite answers to the user's questions. USER: <image>\nwhat is it? ASSISTANT:{ lion}{</s>}" +
        "USER: where is it? ASSISTANT:{ topleft}{</s>}",
    );
  });

  it("leaves a question at the end open as a prompt", () => {
    const asked = { ...sample, conversations: sample.conversations.slice(0, 1) };
    expect(show(encodePrompt(findTemplate("chat"), tokenizer, asked), tokenizer)).toBe(
      "<s> [image] user : what is it ? assistant :",
    );
  });

  it("says which template masks all labels and why", async () => {
    const template = findTemplate("chat");
    const open = { ...sample, conversations: sample.conversations.slice(0, 1) };
    expect(await rejection(() => encodeSample(template, tokenizer, open))).toMatchInlineSnapshot(
      `"sample "7": template "chat" trains answers, and the conversation has no answer (no turn from gpt). Remove the sample, correct its answers, or choose another template. [E_LABELS_MASKED]"`,
    );
    const empty = {
      ...sample,
      conversations: [
        { from: "human", value: "<image>" },
        { from: "gpt", value: " " },
      ],
    } satisfies Sample;
    expect(await rejection(() => encodeSample(template, tokenizer, empty))).toMatchInlineSnapshot(
      `"sample "7": template "chat" trains answers, and all its answers are empty. Remove the sample, correct its answers, or choose another template. [E_LABELS_MASKED]"`,
    );
  });

  it("refuses another number of placeholders than of images", async () => {
    const two = { ...sample, images: ["a.png", "b.png"] };
    expect(await rejection(() => encodeSample(findTemplate("chat"), tokenizer, two))).toMatchInlineSnapshot(
      `"sample "7": expected 2 × <image> in its text, one for each image, got 1. Put <image> where each image belongs. [E_IMAGE_TOKENS]"`,
    );
  });

  it("lists the templates when the name is wrong", async () => {
    expect(await rejection(() => findTemplate("vicuna"))).toMatchInlineSnapshot(
      `"template: expected one of plain, llava-plain, chat, vicuna-v1, llava-v1, llama-2, mistral-instruct, chatml, phi, gemma, qwen2, model, got "vicuna". Did you mean "vicuna-v1"? Use one of these. [E_NAME_UNKNOWN]"`,
    );
  });

  it("needs an end-of-sequence token", async () => {
    const endless = { ...tokenizer, special: { ...tokenizer.special, eos: null } };
    expect(await rejection(() => encodeSample(findTemplate("chat"), endless, sample))).toMatchInlineSnapshot(
      `"tokenizer: the template ends answers with the end-of-sequence token, and this tokenizer names none. Add \`eos_token\` to tokenizer_config.json, or use a template that ends answers with text. [E_TOKENIZER]"`,
    );
  });
});
