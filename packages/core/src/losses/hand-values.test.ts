import "@tensorflow/tfjs-backend-cpu";

import * as tf from "@tensorflow/tfjs-core";
import { beforeAll, describe, expect, it } from "vitest";

import { valueAndGradients } from "../autodiff.js";
import { registerStockGradients } from "../gradients.js";
import { setFallback } from "../kernels/run.js";
import { createDasNceLoss } from "./das-nce.js";
import { createDirectionLoss } from "./direction.js";
import { createDistributionLoss } from "./distribution.js";
import { createEmuL2Loss } from "./emu-l2.js";
import { createSmoothL1Loss } from "./smooth-l1.js";
import { createViralCosLoss } from "./viral-cos.js";
import { createViralGramLoss } from "./viral-gram.js";
import type { VisualLoss, VisualView } from "./visual-loss.js";
import { createVwKlLoss } from "./vw-kl.js";

beforeAll(async () => {
  await tf.setBackend("cpu");
  registerStockGradients();
  setFallback("reference");
});

const oneImage = (length: number) => [{ sample: 0, start: 0, length }];

function rows(...values: readonly (readonly number[])[]): tf.Tensor2D {
  return tf.tensor2d(values.map((row) => [...row]));
}

async function numbers(tensor: tf.Tensor | undefined): Promise<number[]> {
  return tensor === undefined ? [] : [...(await tensor.data())];
}

async function lossOf(loss: VisualLoss, view: VisualView): Promise<number> {
  return (await numbers(loss.compute(view).sum))[0] as number;
}

describe("direction", () => {
  const view: VisualView = {
    initial: rows([3, 0], [0, 5], [1, 1], [0, 0]),
    refined: rows([0, 2], [0, 1], [-2, -2], [1, 0]),
    patchWeights: tf.tensor1d([0.1, 0.2, 0.3, 0.4]),
    images: oneImage(4),
  };

  it("is 2 at right angles, 0 when equal, 4 when opposite, and 1 for a zero row, whatever the lengths", async () => {
    const terms = await numbers(createDirectionLoss().compute(view).perRow);
    for (const [i, expected] of [2, 0, 4, 1].entries()) expect(terms[i]).toBeCloseTo(expected, 5);
  });

  it("weighs rows by their attention: as it is, summed to 1, with mean 1, or equal", async () => {
    const values = [];
    for (const normalise of ["none", "sum", "mean", "uniform"] as const) {
      values.push(await lossOf(createDirectionLoss({ normalise }), view));
    }
    for (const [i, expected] of [1.8, 1.8, 7.2, 1.75].entries()) expect(values[i]).toBeCloseTo(expected, 4);
  });

  it("turns v towards its twin with -2 a (û - (u·û) u) / |v|, and leaves a zero row alone", async () => {
    const loss = createDirectionLoss();
    const { gradients } = valueAndGradients(() => loss.compute(view).sum, [view.initial]);
    const gradient = await numbers(gradients[0]);
    const expected = [0, (-2 * 0.1) / 3, 0, 0, 0, 0, 0, 0];
    for (const [i, value] of expected.entries()) expect(gradient[i]).toBeCloseTo(value, 5);
  });

  it("lets the gradient into the twin only when asked", async () => {
    const open = createDirectionLoss({ stopGradient: false });
    const { gradients } = valueAndGradients(() => open.compute(view).sum, [view.refined as tf.Tensor2D]);
    expect((await numbers(gradients[0]))[0]).toBeCloseTo((-2 * 0.1) / 2, 5);
  });
});

describe("distribution", () => {
  /** Two words, so that softmax(v Eᵀ) is a logistic of the first value. */
  const vocabulary = rows([1, 0], [0, 0]);
  const view: VisualView = {
    initial: rows([0, 3], [Math.log(3), 0]),
    refined: rows([Math.log(3), 1], [Math.log(3), -7]),
    patchWeights: tf.tensor1d([0.5, 1]),
    vocabulary,
    head: { weight: rows([0, 1], [0, 0]), trainable: true, softcap: 0 },
    images: oneImage(2),
  };
  const divergence = 0.75 * Math.log(0.75 / 0.5) + 0.25 * Math.log(0.25 / 0.5);

  it("is the divergence from the twin's words to the row's, and 0 where both mean the same", async () => {
    const { sum, perRow } = createDistributionLoss().compute(view);
    const terms = await numbers(perRow);
    expect(terms[0]).toBeCloseTo(divergence, 5);
    expect(terms[1]).toBeCloseTo(0, 5);
    expect((await numbers(sum))[0]).toBeCloseTo(0.5 * divergence, 5);
  });

  it("has the gradient a (p - p̂) E", async () => {
    const loss = createDistributionLoss();
    const { gradients } = valueAndGradients(() => loss.compute(view).sum, [view.initial]);
    const gradient = await numbers(gradients[0]);
    for (const [i, value] of [0.5 * (0.5 - 0.75), 0, 0, 0].entries())
      expect(gradient[i]).toBeCloseTo(value, 5);
  });

  it("reads the head's words when asked, without training the head", async () => {
    const loss = createDistributionLoss({ vocabulary: "head" });
    const { weight } = view.head as { weight: tf.Tensor2D };
    const { value, gradients } = valueAndGradients(() => loss.compute(view).sum, [weight]);
    expect((await numbers(value))[0]).toBeGreaterThan(0.1);
    expect(await numbers(gradients[0])).toEqual([0, 0, 0, 0]);
  });
});

describe("das-nce", () => {
  const view: VisualView = {
    initial: rows([2, 0], [0, 1], [0, 3]),
    refined: rows([1, 0], [0, 5], [1, 0]),
    patchWeights: tf.tensor1d([0.1, 0.1, 0.2]),
    images: [
      { sample: 0, start: 0, length: 2 },
      { sample: 1, start: 2, length: 1 },
    ],
  };

  it("tells a row's twin from all twins of the micro-batch", async () => {
    const { sum, perRow } = createDasNceLoss({ tau: 1 }).compute(view);
    const [e] = [Math.E];
    const expected = [Math.log((2 * e + 1) / e), Math.log((2 + e) / e), Math.log(2 + e)];
    for (const [i, term] of (await numbers(perRow)).entries())
      expect(term).toBeCloseTo(expected[i] as number, 5);
    const [a, b, c] = expected as [number, number, number];
    expect((await numbers(sum))[0]).toBeCloseTo((a + b) / 2 + c, 5);
  });

  it("tells a row's twin from those of its sample only, when asked", async () => {
    const { perRow } = createDasNceLoss({ tau: 1, negatives: "sample" }).compute(view);
    const expected = [Math.log((Math.E + 1) / Math.E), Math.log((1 + Math.E) / Math.E), 0];
    for (const [i, term] of (await numbers(perRow)).entries())
      expect(term).toBeCloseTo(expected[i] as number, 5);
  });

  it("is sharper for a small temperature, which must be positive", async () => {
    expect(await lossOf(createDasNceLoss({ tau: 0.1, negatives: "sample" }), view)).toBeLessThan(1e-3);
    expect(() => createDasNceLoss({ tau: 0 })).toThrowErrorMatchingInlineSnapshot(
      `[BasicError: das-nce: \`tau\` must be greater than 0, got 0. Leave it out for 0.1. [E_CONFIG]]`,
    );
  });
});

describe("smooth-l1", () => {
  const view: VisualView = {
    initial: rows([0.5, -3], [1, 1]),
    refined: rows([0, 0], [1, 1]),
    images: oneImage(2),
  };

  it("is a square up to delta and a line beyond, over the width", async () => {
    expect(await lossOf(createSmoothL1Loss(), view)).toBeCloseTo((0.125 + 2.5) / 2 / 2, 5);
    expect(await lossOf(createSmoothL1Loss({ delta: 4 }), view)).toBeCloseTo((0.125 + 4.5) / 2 / 2, 5);
  });

  it("has the clipped difference as gradient", async () => {
    const loss = createSmoothL1Loss();
    const { gradients } = valueAndGradients(() => loss.compute(view).sum, [view.initial]);
    const gradient = await numbers(gradients[0]);
    for (const [i, value] of [0.125, -0.25, 0, 0].entries()) expect(gradient[i]).toBeCloseTo(value, 5);
  });

  it("refuses a delta of 0", () => {
    expect(() => createSmoothL1Loss({ delta: 0 })).toThrowErrorMatchingInlineSnapshot(
      `[BasicError: smooth-l1: \`delta\` must be greater than 0, got 0. Leave it out for 1. [E_CONFIG]]`,
    );
  });
});

describe("emu-l2", () => {
  it("compares W h with the next row of the same image, and trains W", async () => {
    const loss = createEmuL2Loss({ width: 2 });
    const map = loss.parameters?.get("emu-l2.weight");
    map?.assign(tf.tensor2d([1, 0, 0, 2], [2, 2]));
    const view: VisualView = {
      initial: rows([9, 9], [1, 1], [9, 9], [2, 0]),
      hidden: rows([1, 1], [7, 7], [3, 1], [7, 7]),
      images: [
        { sample: 0, start: 0, length: 2 },
        { sample: 0, start: 2, length: 2 },
      ],
    };
    // Pairs (0, 1): |(1, 2) - (1, 1)|² / 2 = 0.5; (2, 3): |(3, 2) - (2, 0)|² / 2 = 2.5.
    expect(await lossOf(loss, view)).toBeCloseTo((0.5 + 2.5) / 2, 5);
    const { gradients } = valueAndGradients(() => loss.compute(view).sum, [map?.value as tf.Tensor]);
    const gradient = await numbers(gradients[0]);
    for (const [i, value] of [1.5, 0.5, 3.5, 1.5].entries()) expect(gradient[i]).toBeCloseTo(value, 5);
  });

  it("starts from the same map for the same seed", async () => {
    const [a, b] = [createEmuL2Loss({ width: 3 }), createEmuL2Loss({ width: 3 })];
    const values = [a, b].map((loss) => loss.parameters?.get("emu-l2.weight").value);
    expect(await numbers(values[0])).toEqual(await numbers(values[1]));
  });
});

describe("vw-kl", () => {
  const view: VisualView = {
    initial: rows([5, 5], [Math.log(3), 0]),
    hidden: rows([4, 0], [5, 5]),
    vocabulary: rows([1, 0], [0, 0]),
    head: { weight: rows([0, 1], [0, 0]), trainable: true, softcap: 0 },
    images: oneImage(2),
  };

  it("is the divergence from the next row's words to those that the head foresees", async () => {
    const expected = 0.75 * Math.log(0.75 / 0.5) + 0.25 * Math.log(0.25 / 0.5);
    expect(await lossOf(createVwKlLoss(), view)).toBeCloseTo(expected, 5);
  });

  it("is the same with a tied head as with a copy of the table", async () => {
    const table = view.vocabulary as tf.Tensor2D;
    const tied = { ...view, head: { weight: table, trainable: true, softcap: 0 } };
    const copy = { ...view, head: { weight: tf.mul<tf.Tensor2D>(table, 1), trainable: true, softcap: 0 } };
    expect(await lossOf(createVwKlLoss(), tied)).toBeCloseTo(await lossOf(createVwKlLoss(), copy), 6);
  });
});

describe("viral-cos", () => {
  it("reads the middle block through an MLP with one hidden layer of four times the width", () => {
    const loss = createViralCosLoss({ width: 6, featureWidth: 5 });
    const shapes = [...(loss.parameters ?? [])].map(({ name, shape }) => [name, ...shape]);
    expect(shapes).toEqual([
      ["viral-cos.0.weight", 24, 6],
      ["viral-cos.0.bias", 24],
      ["viral-cos.1.weight", 5, 24],
      ["viral-cos.1.bias", 5],
    ]);
    expect(loss.needs.block?.(12)).toBe(6);
    expect(
      createViralCosLoss({ width: 1024, featureWidth: 1 }).parameters?.get("viral-cos.0.bias").shape,
    ).toEqual([2048]);
  });

  it("is 1 - cos, averaged over a sample's rows", async () => {
    const loss = createViralCosLoss({ width: 1, featureWidth: 2 });
    const set = (name: string, values: number[], shape: number[]) =>
      loss.parameters?.get(name).assign(tf.tensor(values, shape));
    set("viral-cos.0.weight", [0, 0, 0, 0], [4, 1]);
    set("viral-cos.1.weight", new Array(8).fill(0), [2, 4]);
    set("viral-cos.1.bias", [3, 0], [2]);
    const view: VisualView = {
      initial: rows([1], [1]),
      block: rows([1], [1]),
      features: rows([2, 0], [0, 1]),
      images: oneImage(2),
    };
    expect(await lossOf(loss, view)).toBeCloseTo(0.5, 5);
  });
});

describe("viral-gram", () => {
  it("compares which rows of an image resemble each other", async () => {
    const view: VisualView = {
      initial: rows([1], [1]),
      block: rows([1, 0], [0, 3]),
      features: rows([2, 0, 0], [5, 0, 0]),
      images: oneImage(2),
    };
    // Cosines differ by 1 in two of four places.
    expect(await lossOf(createViralGramLoss(), view)).toBeCloseTo(0.5, 5);
    const alike = { ...view, features: rows([0, 0, 1], [0, 7, 0]) };
    expect(await lossOf(createViralGramLoss(), alike)).toBeCloseTo(0, 5);
  });
});
