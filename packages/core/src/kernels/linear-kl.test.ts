import "@tensorflow/tfjs-backend-cpu";

import * as tf from "@tensorflow/tfjs-core";
import { afterAll, beforeAll, describe, expect, it } from "vitest";

import { valueAndGradients } from "../autodiff.js";
import { linearKl, linearKlBackward } from "./linear-kl.js";
import { runKernel, setFallback } from "./run.js";

beforeAll(async () => {
  await tf.setBackend("cpu");
  setFallback("reference");
});
afterAll(() => {
  setFallback("error");
});

/** With the identity as vocabulary the rows are the logits. */
const run = (v: readonly number[], r: readonly number[], a = 1): number[] =>
  tf.tidy(() => {
    const inputs = {
      v: tf.tensor2d([[...v]]),
      r: tf.tensor2d([[...r]]),
      vocabulary: tf.eye(v.length),
      a: tf.tensor1d([a]),
    };
    return runKernel(linearKl, inputs, { chunkBytes: 1024 }).map((output) => output.dataSync()[0] as number);
  });

describe("linearKl", () => {
  it("is 0 where the rows mean the same words, also shifted", () => {
    expect(run([1, 2, 3], [1, 2, 3])[0]).toBeCloseTo(0, 6);
    expect(run([1, 2, 3], [11, 12, 13])[0]).toBeCloseTo(0, 5);
  });

  it("is the divergence of the target from ours, times the weight", () => {
    // Target (¾, ¼), ours (½, ½): ¾ ln 1.5 + ¼ ln 0.5.
    const [loss, kl, lseV, lseR] = run([0, 0], [Math.log(3), 0], 0.5);
    const expected = 0.75 * Math.log(1.5) + 0.25 * Math.log(0.5);
    expect(loss).toBeCloseTo(0.5 * expected, 6);
    expect(kl).toBeCloseTo(expected, 6);
    expect(lseV).toBeCloseTo(Math.log(2), 6);
    expect(lseR).toBeCloseTo(Math.log(4), 6);
  });

  it("is not symmetric", () => {
    expect(run([0, 0], [4, 0])[0]).not.toBeCloseTo(run([4, 0], [0, 0])[0] ?? 0, 2);
  });

  it("survives logits of a thousand", () => {
    expect(run([1000, 0], [0, 1000])[0]).toBe(1000);
  });

  it("has the gradient a (p − q) E", () => {
    tf.tidy(() => {
      const v = tf.tensor2d([[0, 0]]);
      const inputs = { v, r: tf.tensor2d([[Math.log(3), 0]]), vocabulary: tf.eye(2), a: tf.tensor1d([2]) };
      const loss = () =>
        tf.sum(runKernel(linearKl, inputs, { chunkBytes: 1024 })[0] as tf.Tensor) as tf.Scalar;
      const [dv] = valueAndGradients(loss, [v]).gradients;
      expect([...(dv?.dataSync() ?? [])].map((value) => Number(value.toFixed(5)))).toEqual([-0.5, 0.5]);
    });
  });

  it("says which dimension is wrong", () => {
    const shapes = { v: [3, 4], r: [3, 4], vocabulary: [9, 5], a: [3] };
    expect(() => linearKl.infer(shapes, { chunkBytes: 1024 })).toThrowErrorMatchingInlineSnapshot(
      `[BasicError: linearKl: dimension D is 4 in \`v\` but 5 in \`vocabulary\` [9, 5]. [E_SHAPE]]`,
    );
  });
});

describe("linearKlBackward", () => {
  it("gives the refined rows' gradient only when asked", () => {
    const rows = { dloss: [3], a: [3], kl: [3], lseV: [3], lseR: [3] };
    const shapes = { ...rows, v: [3, 4], r: [3, 4], vocabulary: [9, 4] };
    const outputs = (needsRefined: boolean) =>
      linearKlBackward.infer(shapes, { chunkBytes: 1024, needsRefined });
    expect(outputs(false)).toEqual([[3, 4]]);
    expect(outputs(true)).toEqual([
      [3, 4],
      [3, 4],
    ]);
  });
});
