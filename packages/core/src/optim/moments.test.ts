import "@tensorflow/tfjs-backend-cpu";

import * as tf from "@tensorflow/tfjs-core";
import { beforeAll, describe, expect, it } from "vitest";

import { type MomentStorage, momentBytes } from "../kernels/moments.js";
import { setFallback } from "../kernels/run.js";
import { Parameter } from "../parameters.js";
import { createRandom } from "../random.js";
import { createOptimizer } from "./adamw.js";

beforeAll(async () => {
  await tf.setBackend("cpu");
  setFallback("reference");
});

const [ROWS, INPUTS, OUTPUTS] = [64, 24, 16];

/** Final loss of a regression on two layers, whose least loss is far below the first. */
function finalLoss(moments: MomentStorage): number {
  const random = createRandom(3, "convergence");
  const draw = (rows: number, columns: number, scale: number) =>
    Float32Array.from({ length: rows * columns }, () => scale * random.normal());
  return tf.tidy(() => {
    const x = tf.tensor2d(draw(ROWS, INPUTS, 1), [ROWS, INPUTS]);
    const truth = tf.tensor2d(draw(INPUTS, OUTPUTS, 0.3), [INPUTS, OUTPUTS]);
    const y = tf.tanh(tf.matMul(x, truth));
    const weights = [
      new Parameter("a", draw(INPUTS, 32, 0.2), [INPUTS, 32]),
      new Parameter("b", draw(32, OUTPUTS, 0.2), [32, OUTPUTS]),
    ];
    const gradients = tf.valueAndGrads((...[a, b]: tf.Tensor[]): tf.Scalar => {
      const hidden = tf.tanh(tf.matMul(x, a as tf.Tensor2D));
      return tf.mean(tf.square(tf.sub(tf.matMul(hidden, b as tf.Tensor2D), y)));
    });
    const optimizer = createOptimizer({
      groups: [{ name: "g", parameters: weights, learningRate: 0.01 }],
      moments,
    });
    let last = 0;
    for (let step = 0; step < 300; step++) {
      const { value, grads } = gradients(weights.map((weight) => weight.value));
      last = value.dataSync()[0] as number;
      optimizer.update(grads, { rate: 1 - step / 300 });
    }
    optimizer.dispose();
    for (const weight of weights) weight.dispose();
    return last;
  });
}

describe("training with packed moments", () => {
  it("ends within 3 % of the loss with float32 moments", () => {
    const expected = finalLoss("float32");
    for (const moments of ["bfloat16", "int8"] as const) {
      expect(Math.abs(finalLoss(moments) / expected - 1)).toBeLessThan(0.03);
    }
  });
});

describe("momentBytes", () => {
  it("is a half and about a quarter", () => {
    expect(momentBytes("float32", [9, 41])).toBe(1476);
    expect(momentBytes("bfloat16", [9, 41])).toBe(740);
    // 369 values in two blocks: two scales, 93 words.
    expect(momentBytes("int8", [9, 41])).toBe(380);
  });
});
