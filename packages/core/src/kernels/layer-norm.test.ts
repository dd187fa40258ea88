import * as tf from "@tensorflow/tfjs-core";
import { describe, expect, it } from "vitest";

import { gradientError } from "../../test/central-differences.js";
import { checkCases, useReferences } from "../../test/contract-checks.js";
import { layerNorm, layerNormBackward } from "./layer-norm.js";
import { runKernel } from "./run.js";

useReferences(layerNorm, layerNormBackward);

describe("layerNorm", () => {
  it("centres a row and divides it by its deviation", () => {
    const inputs = { x: tf.tensor2d([[1, 3]]), weight: tf.tensor1d([1, 2]), bias: tf.tensor1d([0, 10]) };
    const [y, mean, inverse] = runKernel(layerNorm, inputs, { epsilon: 0 });
    expect((y as tf.Tensor).arraySync()).toEqual([[-1, 12]]);
    expect((mean as tf.Tensor).arraySync()).toEqual([2]);
    expect((inverse as tf.Tensor).arraySync()).toEqual([1]);
  });

  it("gives the bias for a constant row", () => {
    const inputs = { x: tf.fill([1, 3], 7), weight: tf.ones([3]), bias: tf.tensor1d([1, 2, 3]) };
    const [y] = runKernel(layerNorm, inputs, { epsilon: 1e-5 });
    expect((y as tf.Tensor).arraySync()).toEqual([[1, 2, 3]]);
  });

  it("has the gradients of x, weight and bias", () => {
    const f = (x: tf.Tensor, weight: tf.Tensor, bias: tf.Tensor) =>
      runKernel(layerNorm, { x, weight, bias }, { epsilon: 1e-2 })[0] as tf.Tensor;
    expect(gradientError(f, [{ shape: [3, 5] }, { shape: [5] }, { shape: [5] }])).toBeLessThan(1e-8);
  });

  it("has the gradient of x alone when the weights are constants", () => {
    const f = (x: tf.Tensor) =>
      runKernel(
        layerNorm,
        { x, weight: tf.ones([5]), bias: tf.zeros([5]) },
        { epsilon: 1e-2 },
      )[0] as tf.Tensor;
    expect(gradientError(f, [{ shape: [3, 5] }])).toBeLessThan(1e-8);
  });

  it("names the width that does not agree", () => {
    const inputs = { x: tf.ones([2, 3]), weight: tf.ones([3]), bias: tf.ones([4]) };
    expect(() => runKernel(layerNorm, inputs, { epsilon: 1e-5 })).toThrowErrorMatchingInlineSnapshot(
      `[BasicError: layerNorm: dimension D is 3 in \`x\` but 4 in \`bias\` [4]. [E_SHAPE]]`,
    );
  });

  checkCases(layerNorm);
});

describe("layerNormBackward", () => {
  checkCases(layerNormBackward);
});
