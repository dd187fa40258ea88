import "@tensorflow/tfjs-backend-cpu";

import * as tf from "@tensorflow/tfjs-core";
import { beforeAll, describe, expect, it } from "vitest";

import { valueAndGradients } from "../autodiff.js";
import { registerStockGradients } from "../gradients.js";
import { setFallback } from "../kernels/run.js";
import type { PackedRows } from "../models/interfaces.js";
import { decoderConfig } from "../models/language/config.js";
import { createDecoder } from "../models/language/decoder.js";
import { createLanguageObjective } from "./language-objective.js";

const position = { stage: "pretrain", step: 0, steps: 1 };

const packed: PackedRows = {
  ids: Int32Array.of(1, 2, 3, 4, 5),
  offsets: Int32Array.of(0, 3, 5),
  positions: Int32Array.of(0, 1, 2, 0, 1),
  images: [],
  countsAsText: Int32Array.of(1, 1, 1, 1, 1),
  labels: Int32Array.of(2, 3, -100, 5, -100),
};

beforeAll(async () => {
  await tf.setBackend("cpu");
  registerStockGradients();
  setFallback("reference");
});

function objective() {
  const sizes = { vocabularySize: 9, width: 8, depth: 2, heads: 2, inner: 12, tiedHead: true };
  return createLanguageObjective(createDecoder(decoderConfig({ ...sizes, initialStd: 0.3 })));
}

describe("createLanguageObjective", () => {
  it("counts supervised tokens, or their weights", () => {
    const labelWeights = Float32Array.of(1, 0.1, 1, 0.4, 1);
    expect(objective().count({ packed })).toEqual({ tokens: 3, samples: 0 });
    expect(objective().count({ packed: { ...packed, labelWeights } }).tokens).toBeCloseTo(1.5, 6);
  });

  it("starts near the entropy of the vocabulary", async () => {
    const [part] = objective().parts({ packed }, position);
    expect(part).toMatchObject({ name: "language", per: "tokens", weight: 1 });
    expect(((await part?.sum.data())?.[0] as number) / 3).toBeCloseTo(Math.log(9), 0);
  });

  it("trains every parameter", async () => {
    const made = objective();
    const parameters = [...(made.groups["language"] ?? [])];
    const { gradients } = valueAndGradients(
      () => made.parts({ packed }, position)[0]?.sum as tf.Scalar,
      parameters.map(({ value }) => value),
    );
    for (const gradient of gradients) expect((await gradient.data()).some((g) => g !== 0)).toBe(true);
  });
});
