import "@tensorflow/tfjs-backend-cpu";

import { type BuiltInProjector, createProjector, setFallback } from "@basic-mllm/core";
import * as tf from "@tensorflow/tfjs-core";
import { beforeAll, describe, expect, it } from "vitest";

import { canFold, foldStatistics, unfoldStatistics } from "./fold-statistics.js";

const statistics = { mean: Float32Array.of(1, -2, 0.5), std: Float32Array.of(2, 0.5, 0) };

beforeAll(async () => {
  await tf.setBackend("cpu");
  setFallback("reference");
});

async function outputOf(projector: BuiltInProjector, values: readonly number[]): Promise<number[]> {
  const output = tf.tidy(() => {
    const rows = tf.tensor2d([...values], [values.length / 3, 3]);
    const images = {
      rows,
      offsets: Int32Array.of(0, values.length / 3),
      grids: [[2, values.length / 6] as const],
    };
    return projector.project(images).rows;
  });
  const numbers = [...(await output.data())];
  output.dispose();
  return numbers;
}

const raw = [3, -1, 0.5, 0, -2.5, 0.5, 1, 0, 0.5, -4, 2, 0.5];
const standardised = raw.map((value, i) => {
  const [mean = 0, std = 1] = [statistics.mean[i % 3], statistics.std[i % 3]];
  return (value - mean) / (std > 0 ? std : 1);
});

const vocabulary = () => tf.tensor2d([...standardised, ...raw], [6, 4]);

/** A projector of each kind that can take statistics. */
const kinds = {
  linear: {},
  mlp2x_gelu: { bias: false },
  "fused-gelu-mlp": {},
  "pixel-shuffle": {},
  ldp: {},
  ldpv2: { pool: [2, 2] },
  resampler: { queries: 2, depth: 1, heads: 1, headWidth: 2 },
  vocabulary: { tokens: [0, 1, 5] },
};

it("needs one product that reads all features", () => {
  const place = { features: 3, width: 3, patches: [2, 2] } as const;
  expect(canFold(createProjector("identity", { features: 3, width: 3 }))).toBe(false);
  expect(canFold(createProjector("c-abstractor", { ...place, hidden: 4, depth: 1 }))).toBe(false);
  expect(canFold(createProjector("linear", place))).toBe(true);
});

describe.each(Object.entries(kinds))("folding into %s", (name, options) => {
  it("gives the same from raw features as before from standardised ones", async () => {
    const projector = createProjector(name, {
      ...options,
      features: 3,
      width: 4,
      seed: 1,
      vocabulary: vocabulary(),
    });
    const folded = await foldStatistics(projector, statistics);
    const [before, after] = [await outputOf(projector, standardised), await outputOf(folded, raw)];
    expect(after.length).toBe(before.length);
    for (const [i, value] of after.entries()) expect(value).toBeCloseTo(before[i] ?? Number.NaN, 5);
  });

  it("is undone by unfolding", async () => {
    const projector = createProjector(name, {
      ...options,
      features: 3,
      width: 4,
      seed: 1,
      vocabulary: vocabulary(),
    });
    const back = await unfoldStatistics(await foldStatistics(projector, statistics), statistics);
    const [before, after] = [await outputOf(projector, standardised), await outputOf(back, standardised)];
    for (const [i, value] of after.entries()) expect(value).toBeCloseTo(before[i] ?? Number.NaN, 5);
  });
});
