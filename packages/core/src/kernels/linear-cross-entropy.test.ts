import "@tensorflow/tfjs-backend-cpu";

import * as tf from "@tensorflow/tfjs-core";
import { afterAll, beforeAll, describe, expect, it } from "vitest";

import { valueAndGradients } from "../autodiff.js";
import { linearCrossEntropy, linearCrossEntropyBackward } from "./linear-cross-entropy.js";
import { runKernel, setFallback } from "./run.js";

beforeAll(async () => {
  await tf.setBackend("cpu");
  setFallback("reference");
});
afterAll(() => {
  setFallback("error");
});

/** Logits are the numbers themselves: `weight` is `[V, 1]` and rows are `[1]`. */
const run = (logits: readonly number[], label: number, softcap = 0): number[][] =>
  tf.tidy(() => {
    const inputs = { x: tf.ones([1, 1]), weight: tf.tensor2d([...logits], [logits.length, 1]) };
    const attrs = { labels: Int32Array.of(label), softcap, chunkBytes: 1024 };
    return runKernel(linearCrossEntropy, inputs, attrs).map((output) => [...output.dataSync()]);
  });

describe("linearCrossEntropy", () => {
  it("is log V where all logits are equal", () => {
    const [loss, logSumExp] = run([2, 2, 2, 2], 1);
    expect(loss?.[0]).toBeCloseTo(Math.log(4), 6);
    expect(logSumExp?.[0]).toBeCloseTo(2 + Math.log(4), 6);
  });

  it("is 0 in both outputs where the label is -100", () => {
    expect(run([2, 5], -100)).toEqual([[0], [0]]);
  });

  it("survives logits of a thousand", () => {
    expect(run([1000, 0, -1000], 0)[0]?.[0]).toBe(0);
    expect(run([1000, 0, -1000], 2)[0]?.[0]).toBe(2000);
  });

  it("caps the logits", () => {
    const [a, b] = [3 * Math.tanh(6 / 3), 3 * Math.tanh(-3 / 3)];
    expect(run([6, -3], 0, 3)[0]?.[0]).toBeCloseTo(Math.log(Math.exp(a) + Math.exp(b)) - a, 5);
  });

  it("has the gradient (p − onehot) W, and none from ignored rows", () => {
    tf.tidy(() => {
      const x = tf.tensor2d([[0], [0]]);
      const weight = tf.tensor2d([[1], [3]]);
      const attrs = { labels: Int32Array.of(1, -100), softcap: 0, chunkBytes: 1024 };
      const loss = () =>
        tf.sum(runKernel(linearCrossEntropy, { x, weight }, attrs)[0] as tf.Tensor) as tf.Scalar;
      const [dx] = valueAndGradients(loss, [x]).gradients;
      // p = (½, ½): ½ · 1 − ½ · 3.
      expect([...(dx?.dataSync() ?? [])]).toEqual([-1, 0]);
    });
  });

  it("refuses a label that is no word", () => {
    const call = (label: number) => () =>
      linearCrossEntropy.infer(
        { x: [1, 4], weight: [7, 4] },
        { labels: Int32Array.of(label), softcap: 0, chunkBytes: 1024 },
      );
    expect(call(7)).toThrowErrorMatchingInlineSnapshot(
      `[BasicError: linearCrossEntropy: \`labels\`[0] is 7, but \`weight\` has 7 rows: use 0 to 6. [E_INDEX_RANGE]]`,
    );
    expect(call(-1)).toThrowErrorMatchingInlineSnapshot(
      `[BasicError: linearCrossEntropy: \`labels\`[0] is -1, but \`weight\` has 7 rows: use 0 to 6. [E_INDEX_RANGE]]`,
    );
  });

  it("wants one label for each row", () => {
    const attrs = { labels: Int32Array.of(1, 2, 3), softcap: 0, chunkBytes: 1024 };
    expect(() =>
      linearCrossEntropy.infer({ x: [2, 4], weight: [7, 4] }, attrs),
    ).toThrowErrorMatchingInlineSnapshot(
      `[BasicError: linearCrossEntropy: dimension R is 2 in \`x\` but 3 in \`labels\` [3]. [E_SHAPE]]`,
    );
  });
});

describe("linearCrossEntropyBackward", () => {
  it("gives the weight's gradient only when asked", () => {
    const shapes = { dloss: [2], x: [2, 4], weight: [7, 4], logSumExp: [2] };
    const attrs = { labels: Int32Array.of(1, -100), softcap: 0, chunkBytes: 1024 };
    const outputs = (needsWeight: boolean) =>
      linearCrossEntropyBackward.infer(shapes, { ...attrs, needsWeight });
    expect(outputs(false)).toEqual([[2, 4]]);
    expect(outputs(true)).toEqual([
      [2, 4],
      [7, 4],
    ]);
  });
});
