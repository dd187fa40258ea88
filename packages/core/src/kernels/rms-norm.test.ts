import * as tf from "@tensorflow/tfjs-core";
import { describe, expect, it } from "vitest";

import { gradientError } from "../../test/central-differences.js";
import { checkCases, useReferences } from "../../test/contract-checks.js";
import { rmsNorm, rmsNormBackward } from "./rms-norm.js";
import { runKernel } from "./run.js";

useReferences(rmsNorm, rmsNormBackward);

describe("rmsNorm", () => {
  it("divides a row by its root mean square", () => {
    const inputs = { x: tf.tensor2d([[3, 4, 0, 0]]), weight: tf.tensor1d([1, 2, 1, 1]) };
    const [y, inverse] = runKernel(rmsNorm, inputs, { epsilon: 0, addOne: false });
    expect((inverse as tf.Tensor).dataSync()[0]).toBeCloseTo(0.4, 6);
    expect(Array.from((y as tf.Tensor).dataSync())).toEqual(
      [1.2, 3.2, 0, 0].map((value) => expect.closeTo(value, 6)),
    );
  });

  it("scales by one plus the weight when asked to", () => {
    const inputs = { x: tf.tensor2d([[1, -1]]), weight: tf.tensor1d([0, 1]) };
    const [y] = runKernel(rmsNorm, inputs, { epsilon: 0, addOne: true });
    expect((y as tf.Tensor).arraySync()).toEqual([[1, -2]]);
  });

  it.each([false, true])("has the gradients of x and the weight, one added: %s", (addOne) => {
    const f = (x: tf.Tensor, weight: tf.Tensor) =>
      runKernel(rmsNorm, { x, weight }, { epsilon: 1e-2, addOne })[0] as tf.Tensor;
    expect(gradientError(f, [{ shape: [3, 5] }, { shape: [5] }])).toBeLessThan(1e-8);
  });

  it("has the gradient of x alone when the weight is a constant", () => {
    const f = (x: tf.Tensor) =>
      runKernel(rmsNorm, { x, weight: tf.ones([5]) }, { epsilon: 1e-2, addOne: false })[0] as tf.Tensor;
    expect(gradientError(f, [{ shape: [3, 5] }])).toBeLessThan(1e-8);
  });

  it("gives a zero row a finite gradient", () => {
    const f = (x: tf.Tensor) =>
      runKernel(rmsNorm, { x, weight: tf.ones([2]) }, { epsilon: 1e-6, addOne: false })[0] as tf.Tensor;
    expect(
      tf
        .grad(f)(tf.zeros([1, 2]))
        .arraySync(),
    ).toEqual([[1e3, 1e3].map((value) => expect.closeTo(value, 2))]);
  });

  it("names the width that does not agree", () => {
    const call = () =>
      runKernel(rmsNorm, { x: tf.ones([2, 3]), weight: tf.ones([4]) }, { epsilon: 1e-6, addOne: false });
    expect(call).toThrowErrorMatchingInlineSnapshot(
      `[BasicError: rmsNorm: dimension D is 3 in \`x\` but 4 in \`weight\` [4]. [E_SHAPE]]`,
    );
  });

  checkCases(rmsNorm);
});

describe("rmsNormBackward", () => {
  checkCases(rmsNormBackward);
});
