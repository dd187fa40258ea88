import * as tf from "@tensorflow/tfjs-core";
import { describe, expect, it } from "vitest";

import { gradientError } from "../../test/central-differences.js";
import { checkCases, useReferences } from "../../test/contract-checks.js";
import { fusedActivations } from "./activation.js";
import { gatedActivation, gatedActivationBackward } from "./gated-activation.js";
import { runKernel } from "./run.js";

useReferences(gatedActivation, gatedActivationBackward);

describe("gatedActivation", () => {
  it("multiplies the activated gate by the other half", () => {
    const inputs = { gate: tf.tensor2d([[1e3, -1e3, 0]]), up: tf.tensor2d([[2, 3, 4]]) };
    const [y] = runKernel(gatedActivation, inputs, { kind: "silu" });
    expect((y as tf.Tensor).dataSync().map(Math.abs)).toEqual(Float32Array.of(2000, 0, 0));
  });

  it.each(fusedActivations)("has the gradients of both halves with %s", (kind) => {
    const f = (gate: tf.Tensor, up: tf.Tensor) =>
      runKernel(gatedActivation, { gate, up }, { kind })[0] as tf.Tensor;
    expect(gradientError(f, [{ shape: [3, 5], scale: 3 }, { shape: [3, 5] }])).toBeLessThan(2e-6);
  });

  it("refuses halves of two widths", () => {
    const call = () =>
      runKernel(gatedActivation, { gate: tf.ones([2, 3]), up: tf.ones([2, 4]) }, { kind: "silu" });
    expect(call).toThrowErrorMatchingInlineSnapshot(
      `[BasicError: gatedActivation: dimension F is 3 in \`gate\` but 4 in \`up\` [2, 4]. [E_SHAPE]]`,
    );
  });

  checkCases(gatedActivation);
});

describe("gatedActivationBackward", () => {
  checkCases(gatedActivationBackward);
});
