import { describe, expect, it } from "vitest";

import { readRecorded } from "../test/recorded-tokenizers.js";
import { rejection } from "../test/rejection.js";
import type { Sample } from "./samples.js";
import { IMAGE_SLOT, type TokenSample } from "./segments.js";
import { answerEndToken, encodePrompt, encodeSample, findTemplate } from "./templates.js";
import { createTokenizer, type TextTokenizer } from "./tokenizer.js";

const { conversations, chats, tokenizers } = readRecorded();

function open(name: string, template: unknown): TextTokenizer {
  const { tokenizer, config } = tokenizers[name] as (typeof tokenizers)[string];
  return createTokenizer(tokenizer, { ...config, chat_template: template });
}

function conversation(turns: readonly string[], images: readonly string[] = []): Sample {
  return {
    id: "7",
    images,
    conversations: turns.map((value, i) => ({ from: i % 2 === 0 ? "human" : "gpt", value })),
    metadata: {},
  };
}

/** The text of tokens; trained stretches in braces. */
function show({ ids, weights }: TokenSample, { token }: TextTokenizer): string {
  const pieces = Array.from(ids, (id, i) => ({
    text: id === IMAGE_SLOT ? "[image]" : (token(id) ?? "").replaceAll("Ġ", " ").replaceAll("Ċ", "⏎"),
    trained: (weights[i] as number) > 0,
  }));
  return pieces
    .map(({ text, trained }, i) => {
      const before = trained && pieces[i - 1]?.trained !== true ? "{" : "";
      return `${before}${text}${trained && pieces[i + 1]?.trained !== true ? "}" : ""}`;
    })
    .join("");
}

describe("the model's own template", () => {
  it.each(Object.keys(chats))("gives the tokens of transformers: %s", (name) => {
    const { tokenizer: which, template, rows } = chats[name] as (typeof chats)[string];
    const tokenizer = open(which, template);
    const own = findTemplate("model", tokenizer);
    for (const [i, turns] of conversations.entries()) {
      const sample = conversation(turns);
      const encoded = (turns.length % 2 === 0 ? encodeSample : encodePrompt)(own, tokenizer, sample);
      expect(Array.from(encoded.ids)).toEqual(rows[i]?.ids);
    }
  });

  it.each(["generation", "loose_generation"])(
    "trains what transformers masks as the assistant's: %s",
    (name) => {
      const { tokenizer: which, template, rows } = chats[name] as (typeof chats)[string];
      const tokenizer = open(which, template);
      const own = findTemplate("model", tokenizer);
      for (const [i, turns] of conversations.entries()) {
        if (turns.length % 2 === 1) continue;
        const { weights } = encodeSample(own, tokenizer, conversation(turns));
        expect(Array.from(weights)).toEqual(rows[i]?.mask);
      }
    },
  );

  it("trains answers from the end of their prompt to their closing token where there are no generation blocks", () => {
    const tokenizer = open("qwen2", chats["qwen_chatml"]?.template);
    const template = findTemplate("model", tokenizer);
    const sample = conversation(["what is this?", "a lion", "where?", "left"]);
    expect(show(encodeSample(template, tokenizer, sample), tokenizer)).toBe(
      "<|im_start|>system⏎You are a helpful model<|im_end|>⏎<|im_start|>user⏎what is this?<|im_end|>⏎" +
        "<|im_start|>assistant⏎{a lion<|im_end|>}⏎<|im_start|>user⏎where?<|im_end|>⏎<|im_start|>assistant⏎{left<|im_end|>}⏎",
    );
    expect(show(encodeSample(template, tokenizer, sample, "last"), tokenizer)).toContain(
      "⏎a lion<|im_end|>⏎",
    );
    expect(answerEndToken(template, tokenizer)).toBe(tokenizer.added.get("<|im_end|>")?.id);
  });

  it("makes the prompt the beginning of the text that is trained", () => {
    for (const { tokenizer: which, template } of Object.values(chats)) {
      const tokenizer = open(which, template);
      const own = findTemplate("model", tokenizer);
      const whole = encodeSample(own, tokenizer, conversation(["what is this?", "a lion"]));
      const prompt = encodePrompt(own, tokenizer, conversation(["what is this?"]));
      expect(whole.ids.slice(0, prompt.ids.length)).toEqual(prompt.ids);
      expect(whole.weights.findIndex((weight) => weight > 0)).toBe(prompt.ids.length);
    }
  });

  it("puts images in front of what is said in their turn", () => {
    const tokenizer = open("qwen2", chats["generation"]?.template);
    const sample = conversation(["<image>\nwhat is <image>this?", "a lion"], ["a.png", "b.png"]);
    expect(show(encodeSample(findTemplate("model", tokenizer), tokenizer, sample), tokenizer)).toBe(
      "<|im_start|>user⏎[image]⏎[image]⏎what is this?<|im_end|>⏎<|im_start|>assistant⏎{a lion<|im_end|>}⏎",
    );
  });

  it("follows templates of vision-language models, which take parts and write the image token", () => {
    const parts =
      "{% for m in messages %}<|im_start|>{{ m.role }}\n{% for c in m.content %}{% if c.type == 'image' %}<image>" +
      "{% else %}{{ c.text }}{% endif %}{% endfor %}<|im_end|>\n{% endfor %}{% if add_generation_prompt %}<|im_start|>assistant\n{% endif %}";
    const tokenizer = open("qwen2", parts);
    const sample = conversation(["<image>\nwhat is this?", "a lion"], ["a.png"]);
    expect(show(encodeSample(findTemplate("model", tokenizer), tokenizer, sample), tokenizer)).toBe(
      "<|im_start|>user⏎[image]what is this?<|im_end|>⏎<|im_start|>assistant⏎{a lion<|im_end|>}⏎",
    );
  });

  it("is found by name where there are several, and the date in it never changes", () => {
    const line =
      "{{ strftime_now('%d %B %Y') }}{% for m in messages %}<|im_start|>{{ m.content }}<|im_end|>{% endfor %}";
    const tokenizer = open("qwen2", [
      { name: "default", template: chats["chatml"]?.template },
      { name: "dated", template: line },
    ]);
    const sample = conversation(["where?", "left"]);
    expect(show(encodeSample(findTemplate("model:dated", tokenizer), tokenizer, sample), tokenizer)).toBe(
      "26 July 2024<|im_start|>where?<|im_end|>{<|im_start|>left<|im_end|>}",
    );
  });
});

describe("a template of the model that cannot be followed", () => {
  const turn = "<|im_start|>{{ m.content }}<|im_end|>";
  const refusal = (template: string, turns: readonly string[] = ["where?", "left", "and?", "right"]) =>
    rejection(() => {
      const tokenizer = open("qwen2", template);
      return encodeSample(findTemplate("model", tokenizer), tokenizer, conversation(turns));
    });

  it("is refused where it reorders turns", async () => {
    expect(await refusal(`{% for m in messages | reverse %}${turn}{% endfor %}`)).toMatchInlineSnapshot(
      `"template "model": expected the chat template of the model to write each turn once, in order and unchanged; it writes the turns in the order 1, 0. Labels would be wrong, so it is not used. Name another template (docs/templates.md), or correct the chat template beside the tokenizer. [E_CONFIG]"`,
    );
  });

  it("is refused where it drops, repeats or changes turns", async () => {
    expect(await refusal(`{% for m in messages[-2:] %}${turn}{% endfor %}`)).toContain(
      "it drops turn 0 of 4",
    );
    expect(await refusal(`{% for m in messages %}${turn}${turn}{% endfor %}`)).toContain(
      "it repeats turn 0 of 2",
    );
    const thinking = `{% for m in messages %}{% if 'f' in m.content %}<|im_start|>x{% else %}${turn}{% endif %}{% endfor %}`;
    expect(await refusal(thinking)).toMatchInlineSnapshot(
      `"template "model": expected the chat template of the model to write each turn once, in order and unchanged; it changes turn 1 with what is said: "x<|im_start|>and?<|im_end|><|im_start|>right<|im_end|>" in place of "left". Labels would be wrong, so it is not used. Name another template (docs/templates.md), or correct the chat template beside the tokenizer. [E_CONFIG]"`,
    );
  });

  it("is refused where the prompt differs from the text that is trained, or nothing closes an answer", async () => {
    const other = `{% for m in messages %}${turn}{% endfor %}{% if add_generation_prompt %}<|im_start|>think{% endif %}`;
    expect(await refusal(other)).toContain(
      "begins the prompt for turn 1 otherwise than the text with the answer in it",
    );
    expect(await refusal("{% for m in messages %}{{ m.role }}: {{ m.content }}\n{% endfor %}")).toContain(
      'closes answers with "\\n" and no special token of the tokenizer',
    );
  });

  it("is refused where it is not Jinja, or raises", async () => {
    expect(await refusal("{% for m in %}")).toContain('template "model": expected the chat template');
    expect(await refusal("{{ raise_exception('only one turn') }}")).toContain(
      "refuses the conversation: only one turn",
    );
  });

  it("is said to be absent, with the names there are", async () => {
    const { tokenizer, config } = tokenizers["qwen2"] as (typeof tokenizers)[string];
    const bare = createTokenizer(tokenizer, config);
    expect(await rejection(() => findTemplate("model", bare))).toMatchInlineSnapshot(
      `"template "model": expected a chat template "default" in the model's tokenizer_config.json, chat_template.jinja or chat_template.json, got none. Use one of plain, llava-plain, chat, vicuna-v1, llava-v1, llama-2, mistral-instruct, chatml, phi, gemma, qwen2. [E_NAME_UNKNOWN]"`,
    );
    expect(await rejection(() => findTemplate("model:rag", open("qwen2", "x")))).toContain(
      "got default. Use model:default, or",
    );
  });
});
