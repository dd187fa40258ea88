import * as tf from "@tensorflow/tfjs-core";
import { describe, expect, it } from "vitest";

import { gradientError } from "../../test/central-differences.js";
import { checkCases, useReferences } from "../../test/contract-checks.js";
import { activationBackward, fusedActivations } from "./activation.js";
import { linear, linearBias } from "./linear.js";
import { runKernel } from "./run.js";

useReferences(linear, linearBias, activationBackward);

describe("linear", () => {
  it("multiplies each row by the rows of the weight", () => {
    const inputs = {
      x: tf.tensor2d([[1, 2]]),
      weight: tf.tensor2d([
        [1, 0],
        [0, 1],
        [3, -1],
      ]),
    };
    const [y] = runKernel(linear, inputs, { activation: "none" });
    expect((y as tf.Tensor).arraySync()).toEqual([[1, 2, 1]]);
  });

  it.each(fusedActivations)("has the gradients of x and the weight with %s", (activation) => {
    const f = (x: tf.Tensor, weight: tf.Tensor) =>
      runKernel(linear, { x, weight }, { activation })[0] as tf.Tensor;
    expect(gradientError(f, [{ shape: [3, 4] }, { shape: [5, 4] }])).toBeLessThan(2e-6);
  });

  it("names the dimension that does not agree", () => {
    const call = () =>
      runKernel(linear, { x: tf.ones([2, 3]), weight: tf.ones([5, 4]) }, { activation: "none" });
    expect(call).toThrowErrorMatchingInlineSnapshot(
      `[BasicError: linear: dimension I is 3 in \`x\` but 4 in \`weight\` [5, 4]. [E_SHAPE]]`,
    );
  });

  checkCases(linear);
});

describe("linearBias", () => {
  it("adds the bias before the activation", () => {
    const inputs = { x: tf.ones([1, 2]), weight: tf.ones([2, 2]), bias: tf.tensor1d([-2, 1e3]) };
    const [y] = runKernel(linearBias, inputs, { activation: "silu" });
    expect((y as tf.Tensor).arraySync()).toEqual([[0, 1002]]);
  });

  it.each(fusedActivations)("has the gradients of x, weight and bias with %s", (activation) => {
    const f = (x: tf.Tensor, weight: tf.Tensor, bias: tf.Tensor) =>
      runKernel(linearBias, { x, weight, bias }, { activation })[0] as tf.Tensor;
    expect(gradientError(f, [{ shape: [3, 4] }, { shape: [5, 4] }, { shape: [5] }])).toBeLessThan(2e-6);
  });

  it("refuses an activation that is not fused", () => {
    const inputs = { x: tf.ones([1, 2]), weight: tf.ones([2, 2]), bias: tf.ones([2]) };
    const call = () => runKernel(linearBias, inputs, { activation: "relu" as "silu" });
    expect(call).toThrowErrorMatchingInlineSnapshot(
      `[BasicError: linearBias: there is no activation "relu". Use one of: none, gelu-erf, gelu-tanh, quick-gelu, silu. [E_NAME_UNKNOWN]]`,
    );
  });

  checkCases(linearBias);
});
