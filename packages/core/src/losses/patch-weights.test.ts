import "@tensorflow/tfjs-backend-cpu";

import * as tf from "@tensorflow/tfjs-core";
import { beforeAll, describe, expect, it } from "vitest";

import { normalisePatchWeights } from "./patch-weights.js";
import type { Normalise } from "./visual-loss.js";

/** Sample 0: two images of two rows; sample 1: text only; sample 2: four rows without any attention. */
const images = [
  { sample: 0, start: 0, length: 2 },
  { sample: 0, start: 2, length: 2 },
  { sample: 2, start: 4, length: 4 },
];
const raw = [0.1, 0.3, 0, 0.4, 0, 0, 0, 0];

beforeAll(async () => {
  await tf.setBackend("cpu");
});

async function normalised(mode: Normalise): Promise<number[]> {
  const result = normalisePatchWeights(tf.tensor1d(raw), images, mode);
  return [...(await result.data())].map((value) => Math.round(value * 1e6) / 1e6);
}

describe("normalisePatchWeights", () => {
  it("leaves the paper's weights as they are, zeros included", async () => {
    expect(await normalised("none")).toEqual(raw);
  });

  it("makes the weights of a sample sum to 1 over all its images, and spreads them where all are 0", async () => {
    expect(await normalised("sum")).toEqual([0.125, 0.375, 0, 0.5, 0.25, 0.25, 0.25, 0.25]);
  });

  it("makes their mean 1, and 1 everywhere where all are 0", async () => {
    expect(await normalised("mean")).toEqual([0.5, 1.5, 0, 2, 1, 1, 1, 1]);
  });

  it("is one over the number of rows when uniform, without looking at the attention", async () => {
    expect(await normalised("uniform")).toEqual(new Array(8).fill(0.25));
    const blind = normalisePatchWeights(undefined, images, "uniform");
    expect(await blind.data()).toEqual(new Float32Array(8).fill(0.25));
  });

  it.each(["none", "sum", "mean", "uniform"] as const)(
    "gives an empty tensor without images for %s",
    (mode) => {
      expect(normalisePatchWeights(tf.tensor1d([]), [], mode).shape).toEqual([0]);
    },
  );

  it("leaks no tensors", () => {
    const input = tf.tensor1d(raw);
    const before = tf.memory().numTensors;
    for (const mode of ["none", "sum", "mean", "uniform"] as const) {
      normalisePatchWeights(input, images, mode).dispose();
    }
    expect(tf.memory().numTensors).toBe(before);
  });

  it("refuses weights of another length, and missing ones", () => {
    expect(() => normalisePatchWeights(tf.tensor1d([1]), images, "sum")).toThrowErrorMatchingInlineSnapshot(
      `[BasicError: normalisePatchWeights: dimension N is 8 in \`images\` but 1 in \`raw\` [1]. [E_SHAPE]]`,
    );
    expect(() => normalisePatchWeights(undefined, images, "sum")).toThrowErrorMatchingInlineSnapshot(
      `[BasicError: normalisePatchWeights: "sum" needs the attention that each visual row received, and the view has none. Set \`needs.patchWeights\`, or use the mode "uniform". [E_CONFIG]]`,
    );
  });
});
