import "@tensorflow/tfjs-backend-cpu";

import * as tf from "@tensorflow/tfjs-core";
import { beforeAll, describe, expect, it } from "vitest";

import { nearestTokens } from "./nearest-tokens.js";

beforeAll(async () => {
  await tf.setBackend("cpu");
});

describe("nearestTokens", () => {
  it("finds the row of the smallest angle, whatever the lengths", async () => {
    const vocabulary = tf.tensor2d([9, 0, 0, 0.1, -1, 0], [3, 2]);
    const rows = tf.tensor2d([1, 0.2, 0, 7, -3, 1], [3, 2]);
    expect([...(await nearestTokens(rows, vocabulary))]).toEqual([0, 1, 2]);
  });

  it("takes the first of equals, and the first word for a zero row", async () => {
    const vocabulary = tf.tensor2d([1, 0, 2, 0], [2, 2]);
    expect([...(await nearestTokens(tf.tensor2d([5, 0, 0, 0], [2, 2]), vocabulary))]).toEqual([0, 0]);
  });

  it("gives nothing for no rows, and leaks nothing", async () => {
    const vocabulary = tf.ones([3, 2]) as tf.Tensor2D;
    const rows = tf.zeros([0, 2]) as tf.Tensor2D;
    const before = tf.memory().numTensors;
    expect(await nearestTokens(rows, vocabulary)).toHaveLength(0);
    expect(tf.memory().numTensors).toBe(before);
  });

  it("finds the same over several blocks of the vocabulary", async () => {
    // 1,024 rows against 5,000 words are more similarities than one block holds.
    const words = 5000;
    const angles = Array.from({ length: words }, (_, i) => (2 * Math.PI * i) / words);
    const vocabulary = tf.tensor2d(
      angles.flatMap((angle) => [Math.cos(angle), Math.sin(angle)]),
      [words, 2],
    );
    const picked = Array.from({ length: 1024 }, (_, i) => (i * 37) % words);
    const found = await nearestTokens(tf.gather(vocabulary, picked), vocabulary);
    expect([...found]).toEqual(picked);
  });

  it("refuses rows of another width", async () => {
    const call = nearestTokens(tf.zeros([1, 3]) as tf.Tensor2D, tf.zeros([4, 2]) as tf.Tensor2D);
    await expect(call).rejects.toThrowErrorMatchingInlineSnapshot(
      `[BasicError: nearestTokens: dimension D is 3 in \`rows\` but 2 in \`vocabulary\` [4, 2]. [E_SHAPE]]`,
    );
  });
});
