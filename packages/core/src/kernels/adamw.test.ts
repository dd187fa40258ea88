import "@tensorflow/tfjs-backend-cpu";

import * as tf from "@tensorflow/tfjs-core";
import { afterAll, beforeAll, describe, expect, it } from "vitest";

import { type AdamwAttrs, adamw } from "./adamw.js";
import { runKernel, setFallback } from "./run.js";
import { squaredNorm } from "./squared-norm.js";

beforeAll(async () => {
  await tf.setBackend("cpu");
  setFallback("reference");
});
afterAll(() => {
  setFallback("error");
});

const attrs: AdamwAttrs = {
  learningRates: Float64Array.of(0.1),
  beta1: 0.9,
  beta2: 0.999,
  epsilon: 1e-8,
  weightDecays: Float64Array.of(0),
  step: 1,
  moments: "float32",
};

const step = (
  gradient: number,
  control: readonly [number, number],
  changes: Partial<AdamwAttrs> = {},
): number[] =>
  tf.tidy(() => {
    const [parameter0, m0, v0] = [1, 0, 0].map((value) => tf.tensor1d([value])) as [
      tf.Tensor,
      tf.Tensor,
      tf.Tensor,
    ];
    const tensors = { parameter0, m0, v0, gradient0: tf.tensor1d([gradient]) };
    const inputs = { ...tensors, control: tf.tensor1d([...control]) };
    return runKernel(adamw, inputs, { ...attrs, ...changes }).map((output) => output.dataSync()[0] as number);
  });

describe("adamw", () => {
  it("moves by the learning rate in the first step, whatever the size of the gradient", () => {
    for (const gradient of [1e-3, 1, 1e3]) expect(step(gradient, [1, 1])[0]).toBeCloseTo(0.9, 4);
    expect(step(-5, [1, 1])[0]).toBeCloseTo(1.1, 6);
  });

  it("keeps the moments of the scaled gradient", () => {
    const [, m, v] = step(8, [0.25, 1]);
    expect(m).toBeCloseTo(0.2, 6);
    expect(v).toBeCloseTo(0.004, 6);
  });

  it("decays the parameter before the update", () => {
    expect(step(1, [1, 1], { weightDecays: Float64Array.of(0.5) })[0]).toBeCloseTo(0.95 - 0.1, 6);
  });

  it("adds epsilon to the bias-corrected root", () => {
    // m̂ = 1, √v̂ = 1: 1 − 0.1 · 1 / (1 + 1).
    expect(step(1, [1, 1], { epsilon: 1 })[0]).toBeCloseTo(0.95, 6);
  });

  it("changes nothing when it is told not to update", () => {
    expect(step(Number.NaN, [1, 0])).toEqual([1, 0, 0]);
    expect(step(Number.POSITIVE_INFINITY, [0, 0], { weightDecays: Float64Array.of(0.5) })).toEqual([1, 0, 0]);
  });

  it("names the tensor whose shape is wrong", () => {
    const shapes = { parameter0: [3, 2], gradient0: [3, 2], m0: [6], v0: [3, 2], control: [2] };
    expect(() => adamw.infer(shapes, attrs)).toThrowErrorMatchingInlineSnapshot(
      `[BasicError: adamw: \`m0\` must have shape [3, 2], got [6]. [E_SHAPE]]`,
    );
    expect(() =>
      adamw.infer({ ...shapes, m0: [3, 2], control: [3] }, attrs),
    ).toThrowErrorMatchingInlineSnapshot(
      `[BasicError: adamw: \`control\` must have shape [2], got [3]. [E_SHAPE]]`,
    );
  });
});

describe("squaredNorm", () => {
  it("is the sum of squares as a scalar", () => {
    tf.tidy(() => {
      const x = tf.tensor2d([3, 4, 0, -12], [2, 2]);
      const [sum] = runKernel(squaredNorm, { x0: x }, {});
      expect(sum?.shape).toEqual([]);
      expect(sum?.dataSync()[0]).toBe(169);
    });
  });
});
