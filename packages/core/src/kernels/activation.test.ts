import * as tf from "@tensorflow/tfjs-core";
import { describe, expect, it } from "vitest";

import { gradientError } from "../../test/central-differences.js";
import { checkCases, useReferences } from "../../test/contract-checks.js";
import { type ActivationKind, activation, activationBackward, activationKinds } from "./activation.js";
import { runKernel } from "./run.js";

useReferences(activation, activationBackward);

function act(values: readonly number[], kind: ActivationKind): number[] {
  const [y] = runKernel(activation, { x: tf.tensor2d([...values], [1, values.length]) }, { kind });
  return Array.from((y as tf.Tensor).dataSync());
}

describe("activation", () => {
  // Φ(1) = 0.841345, σ(1) = 0.731059, σ(1.702) = 0.845796.
  it.each([
    ["none", [-1, 0, 1]],
    ["gelu-erf", [-0.158655, 0, 0.841345]],
    ["gelu-tanh", [-0.158808, 0, 0.841192]],
    ["quick-gelu", [-0.154204, 0, 0.845796]],
    ["silu", [-0.268941, 0, 0.731059]],
    ["relu", [0, 0, 1]],
  ] as const)("%s gives the known values at -1, 0 and 1", (kind, expected) => {
    for (const [i, value] of act([-1, 0, 1], kind).entries())
      expect(value).toBeCloseTo(expected[i] as number, 5);
  });

  it.each(activationKinds)("%s is 0 or the value itself far from 0", (kind) => {
    const [low, high] = act([-1e3, 1e3], kind);
    expect(low === 0 || (kind === "none" && low === -1e3)).toBe(true);
    expect(high).toBe(1e3);
  });

  it.each(activationKinds)("%s has its slope for a gradient", (kind) => {
    const f = (x: tf.Tensor) => runKernel(activation, { x }, { kind })[0] as tf.Tensor;
    expect(gradientError(f, [{ shape: [3, 5], scale: 3 }])).toBeLessThan(2e-6);
  });

  it("names the activations when one is unknown", () => {
    const call = () => runKernel(activation, { x: tf.ones([1, 1]) }, { kind: "swish" as ActivationKind });
    expect(call).toThrowErrorMatchingInlineSnapshot(
      `[BasicError: activation: there is no activation "swish". Use one of: none, gelu-erf, gelu-tanh, quick-gelu, silu, relu. [E_NAME_UNKNOWN]]`,
    );
  });

  checkCases(activation);
});

describe("activationBackward", () => {
  checkCases(activationBackward);

  it("refuses a gradient of another shape", () => {
    const call = () =>
      runKernel(activationBackward, { dy: tf.ones([2, 3]), x: tf.ones([2, 4]) }, { kind: "silu" });
    expect(call).toThrowErrorMatchingInlineSnapshot(
      `[BasicError: activationBackward: dimension F is 3 in \`dy\` but 4 in \`x\` [2, 4]. [E_SHAPE]]`,
    );
  });
});
