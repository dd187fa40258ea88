import "@tensorflow/tfjs-backend-cpu";

import * as tf from "@tensorflow/tfjs-core";
import { afterAll, beforeAll, describe, expect, it } from "vitest";

import { detach, valueAndGradients } from "../autodiff.js";
import { registerContractGradient } from "./contract.js";
import { direction, directionBackward } from "./direction.js";
import { runKernel, setFallback } from "./run.js";

beforeAll(async () => {
  await tf.setBackend("cpu");
  setFallback("reference");
  registerContractGradient(direction);
});
afterAll(() => {
  setFallback("error");
});

const loss = (v: readonly number[], r: readonly number[], a = 1): number =>
  tf.tidy(() => {
    const inputs = { v: tf.tensor2d([[...v]]), r: tf.tensor2d([[...r]]), a: tf.tensor1d([a]) };
    return (runKernel(direction, inputs, {})[0] as tf.Tensor).dataSync()[0] as number;
  });

const gradients = (v: readonly number[], r: readonly number[]): number[][] =>
  tf.tidy(() => {
    const [x, y, a] = [tf.tensor2d([[...v]]), tf.tensor2d([[...r]]), tf.tensor1d([1])];
    const sum = () => tf.sum(runKernel(direction, { v: x, r: y, a }, {})[0] as tf.Tensor) as tf.Scalar;
    return valueAndGradients(sum, [x, y]).gradients.map((gradient) => [...gradient.dataSync()]);
  });

describe("direction", () => {
  it("is 0 when the rows point the same way, whatever their length", () => {
    expect(loss([3, 4], [30, 40])).toBeCloseTo(0, 6);
  });

  it("is 2 for right angles and 4 for opposite rows, times the weight", () => {
    expect(loss([3, 0], [0, 5], 0.25)).toBeCloseTo(0.5, 6);
    expect(loss([3, 4], [-3, -4])).toBeCloseTo(4, 6);
  });

  it("is 1 where one row is zero, and 0 where both are", () => {
    expect(loss([0, 0], [3, 4])).toBeCloseTo(1, 6);
    expect(loss([3, 4], [0, 0])).toBeCloseTo(1, 6);
    expect(loss([0, 0], [0, 0])).toBe(0);
  });

  it("turns a row towards its target, at right angles to the row", () => {
    // u = (1, 0), û = (0, 1), |v| = 2: −2 (û − (u·û) u) / |v| = (0, −1).
    const [dv, dr] = gradients([2, 0], [0, 4]);
    expect(dv?.map((value) => value + 0)).toEqual([0, -1]);
    expect(dr?.map((value) => value + 0)).toEqual([-0.5, 0]);
  });

  it("sends no gradient to a zero row, nor from a zero target", () => {
    const rows = { zero: [0, 0], short: [1e-13, 0], long: [3, 4] };
    for (const [v, r] of [
      [rows.zero, rows.long],
      [rows.long, rows.zero],
      [rows.zero, rows.zero],
    ] as const) {
      for (const gradient of gradients(v, r)) expect(Math.max(...gradient.map(Math.abs))).toBeLessThan(1e-6);
    }
    expect(gradients(rows.short, rows.long)[0]?.map(Math.abs)).toEqual([0, 0]);
  });

  it("says which dimension is wrong", () => {
    expect(() => direction.infer({ v: [4, 8], r: [4, 16], a: [4] }, {})).toThrowErrorMatchingInlineSnapshot(
      `[BasicError: direction: dimension D is 8 in \`v\` but 16 in \`r\` [4, 16]. [E_SHAPE]]`,
    );
  });
});

describe("directionBackward", () => {
  it("gives the refined rows' gradient only when asked", () => {
    const shapes = { dloss: [3], v: [3, 2], r: [3, 2], a: [3] };
    expect(directionBackward.infer(shapes, { needsRefined: false })).toEqual([[3, 2]]);
    expect(directionBackward.infer(shapes, { needsRefined: true })).toEqual([
      [3, 2],
      [3, 2],
    ]);
  });

  it("has a closed form that equals the gradient of the reference", () => {
    tf.tidy(() => {
      const v = tf.randomNormal([5, 7], 0, 1, "float32", 1);
      const r = tf.randomNormal([5, 7], 0, 1, "float32", 2);
      const a = tf.randomUniform([5], 0, 1, "float32", 3);
      const sum = () => tf.sum(direction.reference({ v, r: detach(r), a }, {})[0] as tf.Tensor) as tf.Scalar;
      const expected = valueAndGradients(sum, [v]).gradients[0] as tf.Tensor;
      const inputs = { dloss: tf.ones([5]), v, r, a };
      const [actual] = directionBackward.reference(inputs, { needsRefined: false }) as [tf.Tensor];
      expect(tf.max(tf.abs(tf.sub(actual, expected))).dataSync()[0]).toBeLessThan(1e-5);
    });
  });
});
