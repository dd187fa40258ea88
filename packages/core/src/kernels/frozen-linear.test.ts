import * as tf from "@tensorflow/tfjs-core";
import { describe, expect, it } from "vitest";

import { gradientError, madeUp } from "../../test/central-differences.js";
import { checkCases, useReferences } from "../../test/contract-checks.js";
import {
  type FrozenLinearAttrs,
  frozenLinear,
  frozenLinearBackward,
  frozenLinearBias,
} from "./frozen-linear.js";
import { packers, storages, unpack } from "./quantised.js";
import { runKernel } from "./run.js";

useReferences(frozenLinear, frozenLinearBias, frozenLinearBackward);

const values = madeUp(5 * 32);

/** A 32 to 5 weight in each storage, with the values that it stands for. */
function weightIn(storage: FrozenLinearAttrs["storage"]): { weight: tf.Tensor; dense: tf.Tensor2D } {
  if (storage === "f32") return { weight: tf.tensor2d(values, [5, 32]), dense: tf.tensor2d(values, [5, 32]) };
  const words = packers[storage](values);
  const dense = tf.tensor2d(Array.from(unpack(storage, words, values.length)), [5, 32]);
  return { weight: tf.tensor1d(words, "int32"), dense };
}

function attrsOf(storage: FrozenLinearAttrs["storage"]): FrozenLinearAttrs {
  return { storage, inFeatures: 32, outFeatures: 5 };
}

describe("frozenLinear", () => {
  it.each(storages)("multiplies by the weight that %s words stand for", (storage) => {
    const { weight, dense } = weightIn(storage);
    const x = tf.tensor2d(madeUp(96, 3), [3, 32]);
    const [y] = runKernel(frozenLinear, { x, weight }, attrsOf(storage));
    expect((y as tf.Tensor).arraySync()).toEqual(tf.matMul(x, dense, false, true).arraySync());
  });

  it.each(storages)("has the gradient of x through %s", (storage) => {
    const f = (x: tf.Tensor) =>
      runKernel(frozenLinear, { x, weight: weightIn(storage).weight }, attrsOf(storage))[0] as tf.Tensor;
    expect(gradientError((x) => f(tf.square(x)), [{ shape: [2, 32] }])).toBeLessThan(1e-8);
  });

  it("has no gradient for the weight", () => {
    const f = (weight: tf.Tensor) =>
      runKernel(frozenLinear, { x: tf.ones([1, 32]), weight }, attrsOf("f32"))[0] as tf.Tensor;
    expect(() => tf.grad(f)(tf.ones([5, 32]))).toThrowErrorMatchingInlineSnapshot(
      `[BasicError: BasicFrozenLinear gives no gradient for \`weight\`. Pass it through detach(). [E_NO_GRADIENT]]`,
    );
  });

  it.each([
    {
      mistake: "a dense weight of another shape",
      weight: tf.ones([5, 31]),
      attrs: attrsOf("f32"),
      text: "frozenLinear: the f32 `weight` of 5 x 32 must have shape [5, 32], got [5, 31]. [E_SHAPE]",
    },
    {
      mistake: "too few words",
      weight: tf.zeros([8], "int32"),
      attrs: attrsOf("q8_0"),
      text: "frozenLinear: the q8_0 `weight` of 5 x 32 must have shape [43], got [8]. [E_SHAPE]",
    },
    {
      mistake: "part of a block",
      weight: tf.zeros([8], "int32"),
      attrs: { storage: "q4_0", inFeatures: 33, outFeatures: 5 } as const,
      text: "frozenLinear: q4_0 needs `inFeatures` to be a multiple of 32, got 33. Use bf16, f16 or f32. [E_SHAPE]",
    },
    {
      mistake: "an unknown storage",
      weight: tf.ones([5, 32]),
      attrs: attrsOf("q5_k" as "f32"),
      text: 'frozenLinear: there is no storage "q5_k". Use one of: f32, bf16, f16, q8_0, q4_0, q4_1. [E_NAME_UNKNOWN]',
    },
  ])("explains $mistake", ({ weight, attrs, text }) => {
    const call = () => runKernel(frozenLinear, { x: tf.ones([1, attrs.inFeatures]), weight }, attrs);
    expect(call).toThrow(text);
  });

  checkCases(frozenLinear);
});

describe("frozenLinearBias", () => {
  it("adds the bias", () => {
    const inputs = { x: tf.zeros([1, 32]), weight: tf.ones([5, 32]), bias: tf.tensor1d([1, 2, 3, 4, 5]) };
    const [y] = runKernel(frozenLinearBias, inputs, attrsOf("f32"));
    expect((y as tf.Tensor).arraySync()).toEqual([[1, 2, 3, 4, 5]]);
  });

  it.each(storages)("has the gradient of x through %s", (storage) => {
    const f = (x: tf.Tensor) => {
      const inputs = { x, weight: weightIn(storage).weight, bias: tf.ones([5]) };
      return runKernel(frozenLinearBias, inputs, attrsOf(storage))[0] as tf.Tensor;
    };
    expect(gradientError((x) => f(tf.square(x)), [{ shape: [2, 32] }])).toBeLessThan(1e-8);
  });

  it("refuses a bias of another width", () => {
    const inputs = { x: tf.ones([1, 32]), weight: tf.ones([5, 32]), bias: tf.ones([6]) };
    expect(() => runKernel(frozenLinearBias, inputs, attrsOf("f32"))).toThrowErrorMatchingInlineSnapshot(
      `[BasicError: frozenLinearBias: dimension O is 6 in \`bias\` but 5 in \`outFeatures\` [5]. [E_SHAPE]]`,
    );
  });

  checkCases(frozenLinearBias);
});

describe("frozenLinearBackward", () => {
  checkCases(frozenLinearBackward);
});
