import "@tensorflow/tfjs-backend-cpu";
import * as tf from "@tensorflow/tfjs-core";
import { afterAll, beforeAll, expect, it } from "vitest";

import { valueAndGradients } from "../autodiff.js";
import { registerStockGradients } from "../gradients.js";
import { setFallback } from "../kernels/run.js";
import { ParameterSet } from "../parameters.js";
import { Builder, randomValues } from "./builder.js";
import { Linear } from "./linear.js";

const parameters = new ParameterSet();
let layer: Linear;

beforeAll(async () => {
  await tf.setBackend("cpu");
  registerStockGradients();
  setFallback("reference");
  layer = new Linear(new Builder(parameters, randomValues(1, { weight: 0.5 })), "fc", {
    inFeatures: 7,
    outFeatures: 5,
    bias: true,
  });
});

afterAll(() => {
  parameters.dispose();
});

it.each(["none", "gelu-erf", "silu"] as const)(
  "gives the same values and input gradients frozen as trainable (%s)",
  (kind) => {
    const x = tf.tensor2d(
      Float32Array.from({ length: 21 }, (_, i) => Math.sin(i)),
      [3, 7],
    );
    const run = (trainable: boolean) => {
      parameters.setTrainable(trainable);
      const { value, gradients } = valueAndGradients(() => tf.sum(tf.square(layer.call(x, kind))), [x]);
      return [...value.dataSync(), ...(gradients[0] as tf.Tensor).dataSync()];
    };
    const trained = run(true);
    for (const [i, value] of run(false).entries()) expect(value).toBeCloseTo(trained[i] ?? Number.NaN, 5);
  },
);

it("gives weight and bias a gradient where they train", () => {
  parameters.setTrainable(true);
  const x = tf.ones<tf.Rank.R2>([3, 7]);
  const { gradients } = valueAndGradients(
    () => tf.sum(layer.call(x)) as tf.Scalar,
    [layer.weight.value, layer.bias?.value as tf.Tensor],
  );
  expect(gradients.map((gradient) => gradient.dataSync()[0])).toEqual([3, 3]);
});
