import "@tensorflow/tfjs-backend-cpu";

import * as tf from "@tensorflow/tfjs-core";
import { beforeAll, describe, expect, it } from "vitest";

import {
  checkFeatures,
  checkSpans,
  needed,
  sampleMeanWeights,
  sampleSpans,
  successorPairs,
  unitRows,
} from "./visual-rows.js";

/** Sample 0 has two images, sample 1 none, sample 2 one of a single row. */
const images = [
  { sample: 0, start: 0, length: 3 },
  { sample: 0, start: 3, length: 2 },
  { sample: 2, start: 5, length: 1 },
];

beforeAll(async () => {
  await tf.setBackend("cpu");
});

describe("sampleSpans", () => {
  it("joins the images of a sample and leaves out samples without one", () => {
    expect(sampleSpans(images)).toEqual([
      { sample: 0, start: 0, length: 5 },
      { sample: 2, start: 5, length: 1 },
    ]);
  });
});

describe("sampleMeanWeights", () => {
  it("gives each row one over the rows of its sample", () => {
    expect([...sampleMeanWeights(images)]).toEqual([...Float32Array.of(0.2, 0.2, 0.2, 0.2, 0.2, 1)]);
  });
});

describe("successorPairs", () => {
  it("pairs rows of the same image only, and weighs a sample's pairs to 1", () => {
    const { rows, next, weights } = successorPairs(images);
    expect([...rows]).toEqual([0, 1, 3]);
    expect([...next]).toEqual([1, 2, 4]);
    expect([...weights]).toEqual([...Float32Array.of(1 / 3, 1 / 3, 1 / 3)]);
  });

  it("is empty for images of one row", () => {
    expect(successorPairs([{ sample: 0, start: 0, length: 1 }]).rows).toHaveLength(0);
  });
});

describe("unitRows", () => {
  it("scales rows to length 1 and keeps a zero row", async () => {
    const unit = unitRows(tf.tensor2d([3, 4, 0, 0, 0, -2e-3], [3, 2]));
    const expected = [0.6, 0.8, 0, 0, 0, -1];
    for (const [i, value] of (await unit.data()).entries())
      expect(value).toBeCloseTo(expected[i] as number, 6);
  });
});

describe("checks of a view", () => {
  const view = { initial: tf.zeros([4, 2]) as tf.Tensor2D, images };

  it("names both row counts when the images do not cover the rows", () => {
    expect(() => checkSpans(view, "direction")).toThrowErrorMatchingInlineSnapshot(
      `[BasicError: direction: the images have 6 visual rows, but \`initial\` is [4, 2]. [E_SHAPE]]`,
    );
  });

  it("names the field that was not observed", () => {
    expect(() => needed(view, "refined", "direction")).toThrowErrorMatchingInlineSnapshot(
      `[BasicError: direction: the view carries no \`refined\`. Name it in \`needs\`, and observe it in the objective. [E_CONFIG]]`,
    );
  });

  it("explains that merged rows cannot be compared with features", () => {
    const features = tf.zeros([16, 3]) as tf.Tensor2D;
    expect(() => checkFeatures(view.initial, features, "viral-cos")).toThrowErrorMatchingInlineSnapshot(
      `[BasicError: viral-cos: the encoder gave 16 feature rows, but the LLM sees 4 visual rows. Use a projector that keeps the rows (linear, mlp2x_gelu), or leave this loss out. [E_SHAPE]]`,
    );
  });
});
