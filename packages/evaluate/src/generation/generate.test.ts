import * as tf from "@tensorflow/tfjs-core";
import { beforeAll, expect, it } from "vitest";

import { tinyModel } from "../../test/tiny-model.js";
import { type GenerateTextOptions, generate, generateText, type Prompt } from "./generate.js";

let model: Awaited<ReturnType<typeof tinyModel>>;
beforeAll(async () => {
  model = await tinyModel();
});

const prompt: Prompt = {
  packed: {
    ids: Int32Array.of(1, 8, 9),
    offsets: Int32Array.of(0, 3),
    positions: Int32Array.of(0, 1, 2),
    images: [],
    countsAsText: Int32Array.of(1, 1, 1),
    labels: Int32Array.of(-100, -100, -100),
  },
  visual: null,
};
const drawing = { maxTokens: 12, endOfSequence: null, temperature: 3, seed: 2 } as const;

function text(options: Partial<GenerateTextOptions> = {}) {
  // Letters of the alphabet: one token, one letter.
  const decode = (ids: readonly number[]): string => String.fromCharCode(...ids.map((id) => 97 + id));
  return generateText(model.language, prompt, { ...drawing, decode, ...options });
}

it("ends before any of several stop tokens", async () => {
  const ids = await generate(model.language, prompt, drawing);
  expect(ids).toHaveLength(12);
  const [later = -1, sooner = -1] = [ids[6], ids[3]];
  const ended = await generate(model.language, prompt, { ...drawing, endOfSequence: [later, sooner] });
  expect(ended).toEqual(ids.slice(0, Math.min(ids.indexOf(later), ids.indexOf(sooner))));
});

it("ends before a stop string over several tokens, and shows nothing of it", async () => {
  const whole = await text();
  expect([whole.ended, whole.text.length, whole.decodeSteps]).toEqual(["length", 12, 11]);
  const stop = whole.text.slice(4, 7);
  const pieces: string[] = [];
  const result = await text({ stopStrings: [stop], onText: (piece) => pieces.push(piece) });
  const before = whole.text.slice(0, whole.text.indexOf(stop));
  expect([result.ended, result.text, pieces.join("")]).toEqual(["stop-string", before, before]);
  expect(result.ids).toEqual(whole.ids.slice(0, before.length + 3));
});

it("says that a stop token ended it", async () => {
  const { ids } = await text();
  const result = await text({ endOfSequence: ids[0] ?? null });
  expect([result.ended, result.text, result.decodeSteps]).toEqual(["stop-token", "", 0]);
});

it("keeps what came before it was aborted, and lets go of its memory", async () => {
  const controller = new AbortController();
  const whole = await text();
  let count = 0;
  const onToken = (): void => {
    count += 1;
    if (count === 3) controller.abort();
  };
  const { numTensors } = tf.memory();
  const result = await text({ signal: controller.signal, onToken });
  expect([result.ended, result.text]).toEqual(["aborted", whole.text.slice(0, 3)]);
  expect(tf.memory().numTensors).toBe(numTensors);
});

it("says what is wrong with its options", async () => {
  await expect(generate(model.language, prompt, { ...drawing, maxTokens: -1 })).rejects.toThrow(
    "generate: maxTokens must be a whole number of at least 0, got -1. Correct maxTokens.",
  );
  await expect(generate(model.language, prompt, { ...drawing, endOfSequence: [2, -1] })).rejects.toThrow(
    "generate: endOfSequence must be a token id, several, or null, got [2,-1].",
  );
});
