import { describe, expect, it } from "vitest";

import { readRecorded } from "../test/recorded-tokenizers.js";
import { rejection } from "../test/rejection.js";
import { llavaLabels } from "./llava-labels.js";
import type { Sample } from "./samples.js";
import { encodeSample, findTemplate } from "./templates.js";
import { createTokenizer, type TextTokenizer } from "./tokenizer.js";

const { tokenizers } = readRecorded();

function open(name: string): TextTokenizer {
  const { tokenizer, config } = tokenizers[name] as (typeof tokenizers)[string];
  return createTokenizer(tokenizer, config);
}

function conversation(...turns: readonly string[]): Sample {
  return {
    id: "7",
    images: turns[0]?.includes("<image>") === true ? ["a.png"] : [],
    conversations: turns.map((value, i) => ({ from: i % 2 === 0 ? "human" : "gpt", value })),
    metadata: {},
  };
}

const ordinary = [
  conversation("<image>\nwhat is this?", "a lion."),
  conversation("what is on the left?\n<image>", "The cat is on the left.", "and right?", "a dog, 2 birds"),
  conversation(
    "where is the question?",
    "in the text:\n1. red\n2. blue 世界 😀",
    "how many?",
    "3.14",
    "why?",
    "café",
  ),
];

describe("labels by span", () => {
  it.each(["vicuna-v1", "llava-v1", "llama-2", "mistral-instruct"])(
    "are LLaVA's own on ordinary text with a legacy Llama tokenizer: %s",
    (name) => {
      const template = findTemplate(name);
      const tokenizer = open("llama_legacy");
      for (const sample of ordinary) {
        const { ids, weights } = encodeSample(template, tokenizer, sample);
        const llava = llavaLabels(template, tokenizer, sample);
        expect(llava.mismatch).toBeNull();
        expect(Array.from(ids)).toEqual(Array.from(llava.ids));
        expect(Array.from(ids, (id, i) => ((weights[i] as number) > 0 ? id : -100))).toEqual(
          Array.from(llava.labels),
        );
      }
    },
  );

  it("are LLaVA's own for captions under llava-plain", () => {
    const template = findTemplate("llava-plain");
    for (const name of ["llama_legacy", "llama", "gemma"]) {
      const { ids, weights } = encodeSample(template, open(name), ordinary[0] as Sample);
      const llava = llavaLabels(template, open(name), ordinary[0] as Sample);
      expect(Array.from(ids)).toEqual(Array.from(llava.ids));
      expect(Array.from(weights, (weight) => weight > 0)).toEqual(
        Array.from(llava.labels, (label) => label !== -100),
      );
    }
  });

  it("have LLaVA's tokens with the newer Llama tokenizer too, and stay right where its count fails", () => {
    const template = findTemplate("vicuna-v1");
    const tokenizer = open("llama");
    for (const sample of ordinary) {
      const { ids, weights } = encodeSample(template, tokenizer, sample);
      const llava = llavaLabels(template, tokenizer, sample);
      expect(Array.from(ids)).toEqual(Array.from(llava.ids));
      expect(weights.some((weight) => weight > 0)).toBe(true);
    }
    // One round is counted right; more rounds only where "USER" after a special token is one token less.
    const mismatches = ordinary.map((sample) => llavaLabels(template, tokenizer, sample).mismatch !== null);
    expect(mismatches).toEqual([false, true, true]);
  });

  it("stay right where a tokenizer adds nothing at the beginning, which LLaVA's count takes for a mismatch", () => {
    const template = findTemplate("vicuna-v1");
    const sample = ordinary[1] as Sample;
    const llava = llavaLabels(template, open("smollm"), sample);
    expect(llava.mismatch).not.toBeNull();
    expect(Array.from(llava.labels).every((label) => label === -100)).toBe(true);
    const { ids, weights } = encodeSample(template, open("smollm"), sample);
    expect(Array.from(ids)).toEqual(Array.from(llava.ids));
    const trained = Array.from(ids).filter((_, i) => (weights[i] as number) > 0);
    expect(open("smollm").decode(trained)).toBe(" The cat is on the left. a dog, 2 birds");
  });

  it("have no such counterpart under other templates", async () => {
    expect(
      await rejection(() => llavaLabels(findTemplate("chat"), open("llama"), ordinary[0] as Sample)),
    ).toMatchInlineSnapshot(
      `"llavaLabels: expected llava-plain or a template whose answers follow a space (vicuna-v1, llava-v1, phi, llama-2, mistral-instruct), got "chat". Use encodeSample, whose labels need no such rule. [E_CONFIG]"`,
    );
  });
});
