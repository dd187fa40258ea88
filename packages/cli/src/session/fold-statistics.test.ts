import "@tensorflow/tfjs-backend-cpu";

import { createProjector, setFallback } from "@basic-mllm/core";
import * as tf from "@tensorflow/tfjs-core";
import { beforeAll, describe, expect, it } from "vitest";

import { foldStatistics, unfoldStatistics } from "./fold-statistics.js";

const statistics = { mean: Float32Array.of(1, -2, 0.5), std: Float32Array.of(2, 0.5, 0) };

beforeAll(async () => {
  await tf.setBackend("cpu");
  setFallback("reference");
});

async function outputOf(
  projector: ReturnType<typeof createProjector>,
  values: readonly number[],
): Promise<number[]> {
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

describe.each(["linear", "mlp2x_gelu", "pixel-shuffle"])("folding into %s", (name) => {
  it("gives the same from raw features as before from standardised ones", async () => {
    const projector = createProjector(name, { features: 3, width: 4, seed: 1 });
    const folded = await foldStatistics(projector, statistics);
    const [before, after] = [await outputOf(projector, standardised), await outputOf(folded, raw)];
    expect(after.length).toBe(before.length);
    for (const [i, value] of after.entries()) expect(value).toBeCloseTo(before[i] ?? Number.NaN, 5);
  });

  it("is undone by unfolding", async () => {
    const projector = createProjector(name, { features: 3, width: 4, seed: 1 });
    const back = await unfoldStatistics(await foldStatistics(projector, statistics), statistics);
    const [before, after] = [await outputOf(projector, standardised), await outputOf(back, standardised)];
    for (const [i, value] of after.entries()) expect(value).toBeCloseTo(before[i] ?? Number.NaN, 5);
  });
});
