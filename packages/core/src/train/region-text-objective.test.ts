import "@tensorflow/tfjs-backend-cpu";

import * as tf from "@tensorflow/tfjs-core";
import { beforeAll, describe, expect, it } from "vitest";

import { valueAndGradients } from "../autodiff.js";
import { setFallback } from "../kernels/run.js";
import type { VisionEncoder } from "../models/interfaces.js";
import { siglipConfig } from "../models/vision/config.js";
import { createVit } from "../models/vision/vit.js";
import { ParameterSet } from "../parameters.js";
import { createRegionTextObjective, type RegionTextBatch } from "./region-text-objective.js";

const POSITION = { stage: "contrast", step: 0, steps: 1 };
const TEXTS = 3;
const WORDS = 4;

beforeAll(async () => {
  await tf.setBackend("cpu");
  setFallback("reference");
});

function objectiveOf(labelSmoothing = 0.1) {
  const sizes = { imageSize: 8, patchSize: 2, width: 8, depth: 1, heads: 2, inner: 8 };
  const encoder = createVit(siglipConfig(sizes), { layer: -1, seed: 1 });
  return createRegionTextObjective({
    encoder,
    texts: TEXTS,
    words: WORDS,
    regions: 2,
    labelSmoothing,
    logScale: 1,
    seed: 2,
  });
}

function batchOf(targets: readonly number[], value = (i: number): number => Math.sin(i)): RegionTextBatch {
  return {
    pixels: { pixels: Float32Array.from({ length: 8 * 8 * 3 }, (_, i) => value(i)), shape: [1, 8, 8, 3] },
    targets: Int32Array.from(targets),
    bank: Float32Array.from({ length: TEXTS * WORDS }, (_, i) => (i % 5) / 2),
  };
}

function lossOf(objective: ReturnType<typeof objectiveOf>, batch: RegionTextBatch): number {
  return tf.tidy(() => objective.parts(batch, POSITION)[0]?.sum.dataSync()[0] ?? Number.NaN);
}

describe("createRegionTextObjective", () => {
  it("counts each region as a sample", () => {
    expect(objectiveOf().count(batchOf([0, 1, 2, 0]))).toEqual({ tokens: 0, samples: 4 });
  });

  it("is log(texts) a region when all texts are alike", () => {
    const batch = { ...batchOf([0, 1, 2, 0]), bank: new Float32Array(TEXTS * WORDS).fill(1) };
    expect(lossOf(objectiveOf(), batch)).toBeCloseTo(4 * Math.log(TEXTS), 4);
  });

  it("pools exactly the patches of each quadrant, row by row", async () => {
    // Every patch says which quadrant it lies in; identical words and texts then read it back.
    const side = 4;
    const rows = Array.from({ length: side * side }, (_, patch) => {
      const quadrant = 2 * Math.floor(patch / side / 2) + Math.floor((patch % side) / 2);
      return [0, 1, 2, 3].map((other) => (other === quadrant ? 1 : 0));
    });
    const encoder: VisionEncoder = {
      width: 4,
      imageSize: 8,
      parameters: new ParameterSet(),
      encode: () => ({ rows: tf.tensor2d(rows), offsets: Int32Array.of(0, 16), grids: [[side, side]] }),
    };
    const options = { encoder, texts: 4, words: 4, regions: 2, labelSmoothing: 0, logScale: 3, seed: 0 };
    const objective = createRegionTextObjective(options);
    const text = objective.groups["text"];
    text?.get("text.table").assign(tf.eye(4));
    text?.get("text.projection").assign(tf.eye(4));
    const bank = Float32Array.from({ length: 16 }, (_, i) => (i % 5 === 0 ? 1 : 0));
    const right = await objective.diagnose?.({ ...batchOf([0, 1, 2, 3]), bank }, POSITION);
    const wrong = await objective.diagnose?.({ ...batchOf([1, 0, 2, 3]), bank }, POSITION);
    expect([right, wrong]).toEqual([{ regionAccuracy: 1 }, { regionAccuracy: 0.5 }]);
  });

  it("has a gradient for the encoder and the texts that matches central differences", async () => {
    const objective = objectiveOf();
    const batch = batchOf([0, 1, 2, 0]);
    const { vision, text } = objective.groups;
    const checked = [text?.get("text.log_scale"), text?.get("text.projection"), [...(vision ?? [])][0]];
    for (const parameter of checked) {
      if (parameter === undefined) throw new Error("a parameter is missing");
      const { gradients, value } = valueAndGradients(
        () => objective.parts(batch, POSITION)[0]?.sum as tf.Scalar,
        [parameter.value],
      );
      const gradient = (await gradients[0]?.data())?.[0] ?? Number.NaN;
      tf.dispose([...gradients, value]);
      const values = (await parameter.value.data<"float32">()).slice();
      const at = (delta: number): number => {
        const moved = values.slice();
        moved[0] = (moved[0] ?? 0) + delta;
        parameter.assign(tf.tensor(moved, [...parameter.shape]));
        return lossOf(objective, batch);
      };
      const slope = (at(1e-2) - at(-1e-2)) / 2e-2;
      at(0);
      expect(gradient).toBeCloseTo(slope, 2);
    }
  });

  it("refuses targets and banks of other sizes, and targets outside of the bank", () => {
    const objective = objectiveOf();
    expect(() => lossOf(objective, batchOf([0, 1]))).toThrowErrorMatchingInlineSnapshot(
      `[BasicError: regionText: expected 4 targets and a bank of 3 × 4 values, got 2 and 12. Build both from the same concept list. [E_SHAPE]]`,
    );
    expect(() => lossOf(objective, batchOf([0, 1, 2, 9]))).toThrowErrorMatchingInlineSnapshot(
      `[BasicError: regionText: target 9 is outside of the bank of 3 texts. Build the targets and the bank from the same concept list. [E_INDEX_RANGE]]`,
    );
  });

  it("refuses regions that do not fit the patches", () => {
    const regions = (count: number, grid: VisionEncoder["encode"] | null = null) => {
      const sizes = { imageSize: 8, patchSize: 2, width: 8, depth: 1, heads: 2, inner: 8 };
      const encoder = createVit(siglipConfig(sizes), { layer: -1, seed: 1 });
      const made = { width: 8, imageSize: 8, parameters: encoder.parameters };
      return createRegionTextObjective({
        encoder: grid === null ? encoder : { ...made, encode: grid },
        texts: TEXTS,
        words: WORDS,
        regions: count,
        labelSmoothing: 0,
        logScale: 1,
        seed: 2,
      });
    };
    const targets = (count: number) => batchOf(new Array<number>(count).fill(0));
    expect(() => lossOf(regions(3), targets(9))).toThrowErrorMatchingInlineSnapshot(
      `[BasicError: regionText: 3 x 3 regions need a square grid of patches whose side is a multiple of 3, but the encoder gave 4 x 4 patches. Choose another \`contrastive.regions\`, picture size or patch size, and leave the class token out. [E_SHAPE]]`,
    );
    const rows = () => tf.zeros([17, 8]) as tf.Tensor2D;
    const withClass = () => ({ rows: rows(), offsets: Int32Array.of(0, 17), grids: [null] });
    expect(() => lossOf(regions(2, withClass), targets(4))).toThrowErrorMatchingInlineSnapshot(
      `[BasicError: regionText: 2 x 2 regions need a square grid of patches whose side is a multiple of 2, but the encoder gave rows without a grid. Choose another \`contrastive.regions\`, picture size or patch size, and leave the class token out. [E_SHAPE]]`,
    );
  });

  it("leaks no tensors", async () => {
    const objective = objectiveOf();
    const before = tf.memory().numTensors;
    lossOf(objective, batchOf([0, 1, 2, 0]));
    await objective.diagnose?.(batchOf([0, 1, 2, 0]), POSITION);
    expect(tf.memory().numTensors).toBe(before);
  });
});
