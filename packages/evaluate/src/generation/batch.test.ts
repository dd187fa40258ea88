import * as tf from "@tensorflow/tfjs-core";
import { beforeAll, describe, expect, it } from "vitest";

import { tinyModel } from "../../test/tiny-model.js";
import { generateBatch } from "./batch.js";
import { generate, type Prompt } from "./generate.js";
import { PromptCache } from "./prompt-cache.js";

let model: Awaited<ReturnType<typeof tinyModel>>;
beforeAll(async () => {
  model = await tinyModel();
});

/** Rows of one sample; negative ids are rows of pictures. */
function promptOf(ids: readonly number[], seed = 1): Prompt {
  const first = ids.findIndex((id) => id < 0);
  const length = ids.filter((id) => id < 0).length;
  return {
    packed: {
      ids: Int32Array.from(ids),
      offsets: Int32Array.of(0, ids.length),
      positions: Int32Array.from(ids, (_, i) => i),
      images: length === 0 ? [] : [{ sample: 0, start: first, length }],
      countsAsText: Int32Array.from(ids, (id) => (id < 0 ? 0 : 1)),
      labels: new Int32Array(ids.length).fill(-100),
    },
    visual: length === 0 ? null : tf.randomNormal<tf.Rank.R2>([length, 8], 0, 1, "float32", seed),
  };
}

const greedy = { maxTokens: 9, endOfSequence: null } as const;

describe("generateBatch", () => {
  const prompts = () => [
    promptOf([1, 8, 9]),
    promptOf([1, -1, -2, 8, 9], 2),
    promptOf([5]),
    promptOf([1, 3, -1, 4, 5, 6, 7], 3),
  ];

  it.each([
    ["greedy", greedy],
    ["drawn", { ...greedy, temperature: 2, seed: 3, topK: 5 }],
    ["with a penalty", { ...greedy, repetitionPenalty: 1.5 }],
  ])("gives each prompt the tokens that it gets alone, %s", async (_, options) => {
    const { numTensors } = tf.memory();
    const all = prompts();
    const alone = [];
    for (const prompt of all) alone.push(await generate(model.language, prompt, options));
    expect(await generateBatch(model.language, all, options)).toEqual(alone);
    tf.dispose(all.map(({ visual }) => visual ?? []));
    expect(tf.memory().numTensors).toBe(numTensors);
  });

  it("goes on with the others where one ends", async () => {
    const all = prompts();
    const whole = await generateBatch(model.language, all, greedy);
    const stop = whole[0]?.[2] ?? -1;
    const options = { ...greedy, endOfSequence: stop };
    const ended = await generateBatch(model.language, all, options);
    expect(ended).toEqual(whole.map((ids) => (ids.includes(stop) ? ids.slice(0, ids.indexOf(stop)) : ids)));
    tf.dispose(all.map(({ visual }) => visual ?? []));
  });

  it("refuses a prompt without rows, as generate does", async () => {
    const message =
      "generate: the number of rows of a prompt must be at least 1, got 0. Correct the number of rows of a prompt. [E_CONFIG]";
    await expect(generateBatch(model.language, [promptOf([1]), promptOf([])], greedy)).rejects.toThrow(
      message,
    );
    await expect(generate(model.language, promptOf([]), greedy)).rejects.toThrow(message);
  });

  it("takes no prompts, no tokens, and a signal", async () => {
    expect(await generateBatch(model.language, [], greedy)).toEqual([]);
    expect(await generateBatch(model.language, [promptOf([1])], { ...greedy, maxTokens: 0 })).toEqual([[]]);
    const signal = AbortSignal.abort();
    expect(await generateBatch(model.language, [promptOf([1])], { ...greedy, signal })).toEqual([[]]);
    const wrong = generateBatch(model.language, [promptOf([1])], { ...greedy, maxTokens: -1 });
    await expect(wrong).rejects.toThrow("generate: maxTokens must be a whole number of at least 0, got -1.");
  });
});

describe("PromptCache", () => {
  it("leaks no tensors where only the second picture is new", async () => {
    const { numTensors } = tf.memory();
    const cache = new PromptCache(model.language);
    const { packed, visual } = promptOf([1, -1, -2, 8, 9, -3, 4], 5);
    const images = [
      { sample: 0, start: 1, length: 2 },
      { sample: 0, start: 5, length: 1 },
    ];
    const both: Prompt = { packed: { ...packed, images }, visual };
    const first = promptOf([1, -1, -2, 8, 9], 5);
    await generate(model.language, first, { ...greedy, cache });
    const fresh = await generate(model.language, both, greedy);
    expect(await generate(model.language, both, { ...greedy, cache })).toEqual(fresh);
    cache.dispose();
    tf.dispose([first, both].map((prompt) => prompt.visual ?? []));
    expect(tf.memory().numTensors).toBe(numTensors);
  });

  it("gives the answers of a fresh run, and runs only what is new", async () => {
    const cache = new PromptCache(model.language);
    const picture = promptOf([1, -1, -2, 8, 9], 4).visual;
    const turns = [
      [1, -1, -2, 8, 9],
      [1, -1, -2, 8, 9, 4, 2, 1, 7],
      // The last answer became other tokens.
      [1, -1, -2, 8, 9, 4, 2, 6, 6, 5],
      // Nothing but the beginning is equal.
      [1, 8],
      [1, -1, -2, 8],
      // All of it is there: the last row is run again.
      [1, -1, -2, 8],
    ];
    for (const ids of turns) {
      const prompt = { ...promptOf(ids), visual: ids.includes(-1) ? picture : null };
      const fresh = await generate(model.language, prompt, greedy);
      const answer = await generate(model.language, prompt, { ...greedy, cache });
      expect(answer).toEqual(fresh);
      expect(cache.length).toBe(ids.length + greedy.maxTokens - 1);
    }
    expect(cache.remainder({ ...promptOf([1, -1, -2, 8, 8]), visual: picture }).packed.ids).toHaveLength(1);
    cache.dispose();
    expect(cache.length).toBe(0);
    picture?.dispose();
  });
});
