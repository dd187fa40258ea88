import { createDecoder, decoderConfig, type LanguageModel, type PackedRows } from "@basic-mllm/core";
import * as tf from "@tensorflow/tfjs-core";
import { beforeAll, expect, it } from "vitest";

import { questionData, tinyModel } from "../test/tiny-model.js";
import { answerQuestions } from "./answers.js";
import { generate } from "./generation/generate.js";
import { matchTokens, patchAttention, replaceWithNearest } from "./matching.js";
import type { QuestionItem } from "./questions.js";

let model: Awaited<ReturnType<typeof tinyModel>>;
beforeAll(async () => {
  model = await tinyModel();
});

const items: readonly QuestionItem[] = [
  { id: "q0", type: "name", question: "what ?", truth: "lion" },
  { id: "q1", type: "name", question: "what ?", truth: "cat red" },
  { id: "q2", type: "yes", question: "what ?", truth: "yes" },
];
const answers = [[3], [4, 5], [6]];

it("gives the same verdict whatever the batch size", async () => {
  const one = await answerQuestions(model, questionData(answers.slice(0, 1)), items.slice(0, 1), {
    batchSize: 1,
  });
  const three = await answerQuestions(model, questionData(answers), items, { batchSize: 3 });
  expect(three).toHaveLength(3);
  expect(three[0]?.answer).toBe(one[0]?.answer);
  expect(three[0]?.nll).toBeCloseTo(one[0]?.nll ?? Number.NaN, 4);
});

it("counts the end of sequence as part of an answer", async () => {
  const found = await answerQuestions(model, questionData(answers), items, { batchSize: 2 });
  expect(found.map(({ tokens }) => tokens)).toEqual([2, 3, 2]);
  expect(typeof found[2]?.saysYes).toBe("boolean");
});

it("says right exactly where greedy generation gives the truth", async () => {
  const data = questionData(answers);
  const batch = await data.batch(Int32Array.of(0), { stage: "", step: 0, steps: 1 });
  const length = batch.packed.ids.length - 2;
  const prompt = {
    ...batch.packed,
    ids: batch.packed.ids.slice(0, length),
    offsets: Int32Array.of(0, length),
    positions: batch.packed.positions.slice(0, length),
    countsAsText: batch.packed.countsAsText.slice(0, length),
    labels: new Int32Array(length).fill(-100),
  };
  const visual = tf.tidy(() => model.embed(batch));
  const ids = await generate(model.language, { packed: prompt, visual }, { maxTokens: 2, endOfSequence: 2 });
  visual.dispose();
  const [first] = await answerQuestions(model, data, items, { batchSize: 1, limit: 1 });
  expect(first?.correct).toBe(ids.length === 1 && ids[0] === 3);
  expect(first?.answer.split(" ")[0] ?? "").toBe(ids.length === 0 ? "" : model.decode(ids.slice(0, 1)));
});

it("generates the same with the cache as the likeliest token of each prefix", async () => {
  // A head of its own: a tied one repeats the last token at this size.
  const sizes = { vocabularySize: 10, width: 8, depth: 2, heads: 2, inner: 16, initialStd: 0.5 };
  const language = createDecoder(decoderConfig({ ...sizes, tiedHead: false }), { seed: 3 });
  const position = { stage: "", step: 0, steps: 1 };
  const batch = await questionData([[3, 4, 5]]).batch(Int32Array.of(0), position);
  const { packed } = batch;
  const visual = tf.tidy(() => model.embed(batch));
  const whole = await generate(language, { packed, visual }, { maxTokens: 6, endOfSequence: null });
  const without: number[] = [];
  while (without.length < 6) without.push(likeliest(language, continued(packed, without), visual));
  visual.dispose();
  language.parameters.dispose();
  expect(whole).toEqual(without);
  // Else a generator that repeats one token would pass.
  expect(new Set(whole).size).toBeGreaterThan(2);
});

/** One sample with tokens after its end. */
function continued(packed: PackedRows, tokens: readonly number[]): PackedRows {
  const ids = Int32Array.of(...packed.ids, ...tokens);
  return {
    ...packed,
    ids,
    offsets: Int32Array.of(0, ids.length),
    positions: Int32Array.from(ids.keys()),
    countsAsText: Int32Array.of(...packed.countsAsText, ...tokens.map(() => 1)),
    labels: new Int32Array(ids.length).fill(-100),
  };
}

/** The likeliest next token, from a forward pass over the whole prefix. */
function likeliest(language: LanguageModel, packed: PackedRows, visual: tf.Tensor2D): number {
  return tf.tidy(() => {
    const { hidden } = language.forward({ packed, visual });
    const last = tf.slice(hidden, [packed.ids.length - 1, 0], [1, -1]);
    return tf.argMax(tf.matMul(last, language.head.weight, false, true), 1).dataSync()[0] as number;
  });
}

it("matches a vocabulary row with itself, and replaces it by itself", async () => {
  const { vocabulary } = model.language;
  const rows = tf.tidy(() => tf.mul(tf.slice(vocabulary, [3, 0], [2, 8]), 7)) as tf.Tensor2D;
  const replaced = replaceWithNearest(rows, vocabulary);
  const expected = tf.slice(vocabulary, [3, 0], [2, 8]);
  expect([...(await replaced.data())]).toEqual([...(await expected.data())]);
  tf.dispose([rows, replaced, expected]);
});

it("shares lie between 0 and 1, strict never above meaningful here", async () => {
  const data = questionData(answers);
  const batch = await data.batch(Int32Array.of(0, 1), { stage: "", step: 0, steps: 1 });
  const { shares, initial } = await matchTokens(model, [batch]);
  expect(shares.map(({ block }) => block)).toEqual([0, 1, 2]);
  for (const { meaningful, strict, distinct } of shares) {
    expect(meaningful).toBeGreaterThanOrEqual(strict);
    expect(meaningful).toBeLessThanOrEqual(1);
    expect(distinct).toBeGreaterThan(0);
  }
  expect(initial.map((patches) => patches.length)).toEqual([2, 2]);
});

it("waits for what watches it, and leaks nothing where that throws", async () => {
  const data = questionData(answers);
  const batches = await Promise.all(
    [Int32Array.of(0, 1), Int32Array.of(2)].map((own) => data.batch(own, { stage: "", step: 0, steps: 1 })),
  );
  const seen: (readonly number[])[] = [];
  const watch = async (done: number, total: number): Promise<void> => {
    await new Promise((resolve) => setTimeout(resolve, 0));
    seen.push([done, total]);
  };
  await answerQuestions(model, data, items, { batchSize: 2, onProgress: watch });
  expect(seen.splice(0)).toEqual([
    [2, 3],
    [3, 3],
  ]);
  await matchTokens(model, batches, { onProgress: watch });
  // Two batches, and the projector's output with two blocks after it.
  expect(seen).toEqual([1, 2, 3, 4, 5, 6].map((done) => [done, 6]));
  const before = tf.memory().numTensors;
  const stop = async (): Promise<void> => {
    throw new Error("stopped");
  };
  await expect(matchTokens(model, batches, { onProgress: stop })).rejects.toThrow("stopped");
  await expect(answerQuestions(model, data, items, { batchSize: 2, onProgress: stop })).rejects.toThrow();
  expect(tf.memory().numTensors).toBe(before);
});

it("gives each image its own attention, and leaks nothing", async () => {
  const data = questionData(answers);
  const batch = await data.batch(Int32Array.of(0, 1), { stage: "", step: 0, steps: 1 });
  const before = tf.memory().numTensors;
  const weights = await patchAttention(model, batch, 1);
  expect(weights.map((own) => own.length)).toEqual([2, 2]);
  for (const own of weights) {
    for (const weight of own) expect(weight).toBeGreaterThan(0);
    expect(own.reduce((sum, weight) => sum + weight, 0)).toBeLessThan(1);
  }
  await answerQuestions(model, data, items, { batchSize: 2 });
  expect(tf.memory().numTensors).toBe(before);
});
