import fc from "fast-check";
import { describe, expect, it } from "vitest";

import { readRecorded } from "../test/recorded-tokenizers.js";
import { rejection } from "../test/rejection.js";
import { wordTokenizer } from "../test/word-tokenizer.js";
import type { Sample } from "./samples.js";
import {
  answerEndToken,
  conversationSegments,
  encodePrompt,
  encodeSample,
  findTemplate,
  firstAnswerToken,
  TEMPLATES,
  usableTemplates,
} from "./templates.js";
import { createTokenizer, type TextTokenizer } from "./tokenizer.js";

const { tokenizers } = readRecorded();

function open(name: string): TextTokenizer {
  const { tokenizer, config } = tokenizers[name] as (typeof tokenizers)[string];
  return createTokenizer(tokenizer, config);
}

function conversation(...turns: readonly string[]): Sample {
  return {
    id: "7",
    images: turns.flatMap((text) =>
      text
        .split("<image>")
        .slice(1)
        .map((_, i) => `${i}.png`),
    ),
    conversations: turns.map((value, i) => ({ from: i % 2 === 0 ? "human" : "gpt", value })),
    metadata: {},
  };
}

/** The text of a template; trained stretches in braces. */
function written(name: string, sample: Sample): string {
  return conversationSegments(findTemplate(name), sample)
    .map((segment) => {
      const text =
        segment.kind === "text"
          ? segment.text
          : { begin: "<s>", end: "</s>", image: "<image>" }[segment.kind];
      return "weight" in segment && segment.weight > 0 ? `{${text}}` : text;
    })
    .join("");
}

describe("text of the templates", () => {
  const sample = conversation("what is it?\n<image>", "a lion", "where?", "left");

  it.each(Object.keys(TEMPLATES))("%s", (name) => {
    expect(written(name, sample)).toMatchSnapshot();
  });

  it("goes by LLaVA's names too", () => {
    expect(
      ["v1", "vicuna_v1", "llava_v1", "llama_2", "mistral_instruct"].map((name) => findTemplate(name).name),
    ).toEqual(["vicuna-v1", "vicuna-v1", "llava-v1", "llama-2", "mistral-instruct"]);
  });

  it("has no line break after an image that is all of a question", () => {
    expect(written("v1", conversation("<image>", "a lion"))).toContain("USER: <image> ASSISTANT:{ a lion}");
  });
});

describe("templates with special tokens", () => {
  it("need a tokenizer that has them", async () => {
    const sample = conversation("what?", "that");
    expect(
      await rejection(() => encodeSample(findTemplate("qwen2"), wordTokenizer("what that"), sample)),
    ).toMatchInlineSnapshot(
      `"template "qwen2": expected the special tokens <|im_start|>, <|im_end|> in the tokenizer, got none for <|im_start|>, <|im_end|>: they would be cut into pieces that the model has never seen in this place. Use the template of the model's family, or "model" where it has its own. [E_TOKENIZER]"`,
    );
    const usable = usableTemplates(open("smollm")).map(({ name }) => name);
    expect(usable).toContain("chatml");
    expect(usable).toContain("phi");
    expect(usable).not.toContain("gemma");
  });

  it("stop at the token that ends an answer", () => {
    const tokenizer = open("gpt2");
    const id = (token: string) => tokenizer.added.get(token)?.id;
    expect(answerEndToken(findTemplate("chatml"), tokenizer)).toBe(id("<|im_end|>"));
    expect(answerEndToken(findTemplate("phi"), tokenizer)).toBe(id("<|endoftext|>"));
    expect(answerEndToken(findTemplate("v1"), tokenizer)).toBe(tokenizer.special.eos);
  });

  it("say how an answer begins", () => {
    const tokenizer = open("smollm");
    const word = (name: string) =>
      tokenizer.token(firstAnswerToken(findTemplate(name), tokenizer, "a") ?? -1);
    expect([word("v1"), word("qwen2")]).toEqual(["Ġa", "a"]);
  });
});

describe("white space beside special tokens that take it along", () => {
  it("is left out as in a text that is tokenised whole", () => {
    const { tokenizer, config } = tokenizers["phi3"] as (typeof tokenizers)[string];
    const template =
      "{% for m in messages %}<|{{ m.role }}|>\n{{ m.content }}<|end|>\n{% endfor %}{% if add_generation_prompt %}<|assistant|>\n{% endif %}";
    const own = createTokenizer(tokenizer, { ...config, chat_template: template });
    const encoded = encodeSample(
      findTemplate("model", own),
      own,
      conversation("what?", "a cat", "where?", "left"),
    );
    const whole =
      "<|user|>\nwhat?<|end|>\n<|assistant|>\na cat<|end|>\n<|user|>\nwhere?<|end|>\n<|assistant|>\nleft<|end|>\n";
    expect(Array.from(encoded.ids)).toEqual(own.encode(whole));
  });
});

describe("turns", () => {
  it("must alternate, the human first", async () => {
    const sample = { ...conversation("a", "b"), conversations: [{ from: "gpt", value: "b" }] } as Sample;
    expect(
      await rejection(() => encodeSample(findTemplate("v1"), wordTokenizer("a b"), sample)),
    ).toMatchInlineSnapshot(
      `"sample "7", conversations[0].from: expected "human" (human and gpt take turns), got "gpt". Correct the record. [E_DATA_FORMAT]"`,
    );
  });
});

describe("any conversation", () => {
  const piece = fc.oneof(
    fc.constantFrom(
      "what",
      " ",
      "\n",
      "USER:",
      "ASSISTANT: ",
      "</s>",
      "<s>",
      "[INST]",
      "🦁",
      "世",
      "é",
      "1",
      "\t",
    ),
    fc.string({ maxLength: 6 }),
  );
  const said = fc
    .array(piece, { minLength: 1, maxLength: 8 })
    .map((pieces) => `x${pieces.join("").replaceAll("<image>", "")}y`);

  it("begins with the prompt that a model is asked with, and has labels from there", () => {
    fc.assert(
      fc.property(
        said,
        said,
        fc.constantFrom("llama_legacy", "llama", "gemma", "smollm"),
        (asked, answered, which) => {
          const tokenizer = open(which);
          for (const template of usableTemplates(tokenizer)) {
            const { ids, weights } = encodeSample(template, tokenizer, conversation(asked, answered));
            const prompt = encodePrompt(template, tokenizer, conversation(asked));
            expect(ids.slice(0, prompt.ids.length)).toEqual(prompt.ids);
            expect(weights.findIndex((weight) => weight > 0)).toBe(prompt.ids.length);
          }
        },
      ),
      { numRuns: 60 },
    );
  });
});
