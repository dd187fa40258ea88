import fc from "fast-check";
import { expect, it } from "vitest";

import { wordTokenizer } from "../test/word-tokenizer.js";
import type { Sample } from "./samples.js";
import { IMAGE_SLOT } from "./segments.js";
import { encodeSample, findTemplate } from "./templates.js";
import { tokenPieces } from "./token-pieces.js";
import type { TextTokenizer } from "./tokenizer.js";

const words = wordTokenizer("user : assistant what is it ? lion dog");

/** One token a byte, and 256 for the end. */
const bytes: TextTokenizer = {
  size: 257,
  special: { bos: null, eos: 256, pad: null, unk: null, image: null },
  addsBegin: true,
  chatTemplates: {},
  added: new Map(),
  encode: (text) => [...new TextEncoder().encode(text)],
  decode: (ids) =>
    new TextDecoder("utf-8", { ignoreBOM: true }).decode(Uint8Array.from([...ids].filter((id) => id < 256))),
  word: (id) => (id === 256 ? "<end>" : String.fromCharCode(id)),
  token: (id) => (id < 257 ? String.fromCharCode(id) : null),
};

function sample(question: string, answer: string): Sample {
  const conversations = [
    { from: "human", value: question },
    { from: "gpt", value: answer },
  ] as const;
  return { id: "1", images: question.includes("<image>") ? ["a.png"] : [], conversations, metadata: {} };
}

it("shows special tokens, the image and what is supervised", () => {
  const encoded = encodeSample(findTemplate("chat"), words, sample("<image>\nwhat is it?", "lion"));
  const pieces = tokenPieces(words, encoded);
  expect(pieces.map(({ text, kind }) => (kind === "text" ? text.trim() : `${kind} ${text}`))).toEqual([
    "special <s>",
    "image <image>",
    ..."user : what is it ? assistant : lion".split(" "),
    "special </s>",
  ]);
  expect(pieces.filter(({ supervised }) => supervised).map(({ text }) => text.trim())).toEqual([
    "lion",
    "</s>",
  ]);
});

it("puts every token into a piece, and gives the text back where letters are spread over tokens", () => {
  const text = fc.string({ unit: "grapheme", maxLength: 20 }).filter((value) => !value.includes("<image>"));
  fc.assert(
    fc.property(text, text, (question, answer) => {
      fc.pre(answer.trim() !== "");
      const encoded = encodeSample(findTemplate("chat"), bytes, sample(`<image>${question}`, answer));
      const pieces = tokenPieces(bytes, encoded);
      expect(pieces.flatMap(({ ids }) => ids)).toEqual([...encoded.ids]);
      const shown = pieces.map(({ text: piece }) => piece).join("");
      expect(shown).toBe(`<image>user: ${question.trim()} assistant: ${answer.trim()}<end>`);
      const trained = pieces.filter(({ supervised }) => supervised).map(({ text: piece }) => piece);
      expect(trained.join("")).toBe(` ${answer.trim()}<end>`);
    }),
  );
});

it("does not wait for the rest of a letter beyond an image or the end", () => {
  const ids = Int32Array.from([0xc3, IMAGE_SLOT, 0xc3]);
  const pieces = tokenPieces(bytes, { ids, weights: new Float32Array(3) });
  expect(pieces.map(({ text }) => text)).toEqual(["\uFFFD", "<image>", "\uFFFD"]);
});
