import * as tf from "@tensorflow/tfjs-core";
import { describe, expect, it } from "vitest";

import { gradientError } from "../../test/central-differences.js";
import { checkCases, useReferences } from "../../test/contract-checks.js";
import { valueAndGradients } from "../autodiff.js";
import { linearBackward, linearPair, linearTriple } from "./linear-group.js";
import { runKernel } from "./run.js";

useReferences(linearPair, linearTriple, linearBackward);

describe("products of one input", () => {
  it("has the gradients of the input and of all weights", () => {
    const pair = (x: tf.Tensor, weight0: tf.Tensor, weight1: tf.Tensor) =>
      tf.concat([...runKernel(linearPair, { x, weight0, weight1 }, {})], 1);
    const shapes = [{ shape: [4, 5] }, { shape: [3, 5] }, { shape: [2, 5] }];
    expect(gradientError(pair, shapes)).toBeLessThan(2e-6);
    const triple = (x: tf.Tensor, weight0: tf.Tensor, weight1: tf.Tensor, weight2: tf.Tensor) =>
      tf.concat([...runKernel(linearTriple, { x, weight0, weight1, weight2 }, {})], 1);
    expect(gradientError(triple, [...shapes, { shape: [1, 5] }])).toBeLessThan(2e-6);
  });

  it("gives the gradients of some inputs alone", () => {
    const [x, weight0, weight1] = [tf.randomNormal([4, 5]), tf.randomNormal([3, 5]), tf.randomNormal([2, 5])];
    const loss = (): tf.Scalar => {
      const [y0, y1] = runKernel(linearPair, { x, weight0, weight1 }, {}) as [tf.Tensor, tf.Tensor];
      return tf.add(tf.sum(tf.square(y0)), tf.sum(y1));
    };
    const all = valueAndGradients(loss, [x, weight0, weight1]).gradients;
    for (const [i, input] of [x, weight0, weight1].entries()) {
      const [alone] = valueAndGradients(loss, [input]).gradients as [tf.Tensor];
      expect(alone.dataSync()).toEqual(all[i]?.dataSync());
    }
  });

  it("refuses a weight of another width", () => {
    const inputs = { x: tf.ones([2, 3]), weight0: tf.ones([4, 3]), weight1: tf.ones([4, 5]) };
    expect(() => runKernel(linearPair, inputs, {})).toThrowErrorMatchingInlineSnapshot(
      `[BasicError: linearPair: dimension I is 3 in \`x\` but 5 in \`weight1\` [4, 5]. [E_SHAPE]]`,
    );
  });

  checkCases(linearPair);
  checkCases(linearTriple);
});

describe("linearBackward", () => {
  it("refuses a gradient with other rows than the input", () => {
    const inputs = { x: tf.ones([2, 3]), dy0: tf.ones([1, 4]), weight0: tf.ones([4, 3]) };
    expect(() => runKernel(linearBackward, inputs as never, {})).toThrowErrorMatchingInlineSnapshot(
      `[BasicError: linearBackward: dimension R is 2 in \`x\` but 1 in \`dy0\` [1, 4]. [E_SHAPE]]`,
    );
  });

  checkCases(linearBackward);
});
