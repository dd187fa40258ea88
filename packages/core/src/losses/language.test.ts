import "@tensorflow/tfjs-backend-cpu";

import * as tf from "@tensorflow/tfjs-core";
import { beforeAll, describe, expect, it } from "vitest";

import { valueAndGradients } from "../autodiff.js";
import { registerStockGradients } from "../gradients.js";
import { setFallback } from "../kernels/run.js";
import { languageLoss, supervisedTokens } from "./language.js";

const hidden = tf.tidy(() => [1, 0, 0, 1, 2, 2, Math.log(3), 0]);
const labels = Int32Array.of(-100, 1, -100, 0);

beforeAll(async () => {
  await tf.setBackend("cpu");
  registerStockGradients();
  setFallback("reference");
});

function rows(): tf.Tensor2D {
  return tf.tensor2d(hidden, [4, 2]);
}

function head() {
  return { weight: tf.tensor2d([1, 0, 0, 0], [2, 2]), trainable: true, softcap: 0 };
}

async function numberOf(scalar: tf.Scalar): Promise<number> {
  return (await scalar.data())[0] as number;
}

describe("languageLoss", () => {
  it("sums the cross entropy of the supervised rows only", async () => {
    const loss = languageLoss(rows(), head(), { labels });
    expect(await numberOf(loss)).toBeCloseTo(Math.log(2) - Math.log(0.75), 5);
  });

  it("multiplies each row by its label weight", async () => {
    const labelWeights = Float32Array.of(9, 0.5, 9, 2);
    const loss = languageLoss(rows(), head(), { labels, labelWeights });
    expect(await numberOf(loss)).toBeCloseTo(0.5 * Math.log(2) - 2 * Math.log(0.75), 5);
    expect(supervisedTokens({ labels, labelWeights })).toBe(2.5);
    expect(supervisedTokens({ labels })).toBe(2);
  });

  it("is 0 without supervised rows", async () => {
    const loss = languageLoss(rows(), head(), { labels: new Int32Array(4).fill(-100) });
    expect(await numberOf(loss)).toBe(0);
  });

  it("trains the hidden rows and the head", async () => {
    const [x, { weight, ...rest }] = [rows(), head()];
    const { gradients } = valueAndGradients(
      () => languageLoss(x, { weight, ...rest }, { labels }),
      [x, weight],
    );
    const [dx, dw] = await Promise.all(gradients.map((gradient) => gradient.data()));
    for (const [i, value] of [0, 0, 0.5, 0, 0, 0, -0.25, 0].entries()) expect(dx?.[i]).toBeCloseTo(value, 5);
    expect(dw?.[1]).toBeCloseTo(0.5, 5);
  });

  it("leaks no tensors", () => {
    const [x, last] = [rows(), head()];
    const before = tf.memory().numTensors;
    languageLoss(x, last, { labels, labelWeights: Float32Array.of(1, 1, 1, 1) }).dispose();
    expect(tf.memory().numTensors).toBe(before);
  });

  it("names the row of a label outside of the vocabulary", () => {
    const bad = { labels: Int32Array.of(-100, 2, -100, 0) };
    expect(() => languageLoss(rows(), head(), bad)).toThrowErrorMatchingInlineSnapshot(
      `[BasicError: languageLoss: row 1 has label 2, expected 0 to 1 or -100 (ignored). Use the tokenizer that belongs to this language model. [E_INDEX_RANGE]]`,
    );
  });

  it("refuses labels that are not packed with the rows", () => {
    expect(() =>
      languageLoss(rows(), head(), { labels: Int32Array.of(1) }),
    ).toThrowErrorMatchingInlineSnapshot(
      `[BasicError: languageLoss: \`labels\` has 1 entries, but the LLM gave 4 rows. Pack labels and ids together. [E_SHAPE]]`,
    );
  });
});
