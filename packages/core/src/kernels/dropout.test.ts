import "@tensorflow/tfjs-backend-cpu";

import * as tf from "@tensorflow/tfjs-core";
import { beforeAll, describe, expect, it } from "vitest";

import { valueAndGradients } from "../autodiff.js";
import { createRandom, randomWords } from "../random.js";
import { DROPOUT_STEPS, type DropoutAttrs, dropoutKernel } from "./dropout.js";
import { runKernel, setFallback } from "./run.js";

beforeAll(async () => {
  await tf.setBackend("cpu");
  setFallback("reference");
});

const stream = randomWords(2 ** 40 + 9, "dropout", "layer", 3);
const drop = (x: tf.Tensor2D, attrs: DropoutAttrs) =>
  runKernel(dropoutKernel, { x }, attrs)[0] as tf.Tensor2D;

describe("dropoutKernel", () => {
  it("drops what the stream's mask says, and scales the rest", () => {
    const y = drop(tf.ones([13, 11]), { probability: 0.25, stream }).dataSync();
    const random = createRandom(2 ** 40 + 9, "dropout", "layer", 3);
    const mask = random.fillMask(new Uint8Array(143), 0.25);
    expect([...y]).toEqual(Array.from(mask, (kept) => (kept === 0 ? 0 : Math.fround(4 / 3))));
    expect(mask).toContain(0);
  });

  it("hands the same values a gradient", () => {
    const x = tf.randomNormal<tf.Rank.R2>([6, 7], 0, 1, "float32", 1);
    const attrs = { probability: 0.5, stream };
    const { gradients } = valueAndGradients(() => tf.sum(drop(x, attrs)) as tf.Scalar, [x]);
    expect(gradients[0]?.arraySync()).toEqual(drop(tf.ones([6, 7]), attrs).arraySync());
  });

  it("says what is wrong with a probability or a stream", () => {
    const messageOf = (attrs: DropoutAttrs) => {
      try {
        drop(tf.ones([1, 1]), attrs);
      } catch (error) {
        return error instanceof Error ? error.message : "";
      }
      return "nothing was thrown";
    };
    const wrong = [1, -1 / DROPOUT_STEPS, 0.1, Number.NaN].map((probability) => ({ probability, stream }));
    expect([...wrong, { probability: 0, stream: Int32Array.of(1) }].map(messageOf)).toMatchInlineSnapshot(`
      [
        "dropout: \`probability\` must be a multiple of 1/65536 from 0 up to, but not, 1, got 1. Round it. [E_CONFIG]",
        "dropout: \`probability\` must be a multiple of 1/65536 from 0 up to, but not, 1, got -0.0000152587890625. Round it. [E_CONFIG]",
        "dropout: \`probability\` must be a multiple of 1/65536 from 0 up to, but not, 1, got 0.1. Round it. [E_CONFIG]",
        "dropout: \`probability\` must be a multiple of 1/65536 from 0 up to, but not, 1, got NaN. Round it. [E_CONFIG]",
        "dropout: \`stream\` must have 4 words, got 1. Take those of randomWords. [E_CONFIG]",
      ]
    `);
  });
});
