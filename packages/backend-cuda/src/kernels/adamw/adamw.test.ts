import { adamw, momentBytes, runKernel } from "@basic-mllm/core";
import * as tf from "@tensorflow/tfjs-core";
import { describe, expect, it } from "vitest";

import { start } from "../../index.js";

const attrs = {
  learningRates: Float64Array.of(1e-2),
  weightDecays: Float64Array.of(0.1),
  beta1: 0.9,
  beta2: 0.99,
  epsilon: 1e-8,
  step: 3,
};

describe.each(["float32", "bfloat16", "int8"] as const)("BasicAdamw with %s moments", (moments) => {
  it("writes into the tensors that it gets", async () => {
    await start({ image: "ptx" });
    const moment = () =>
      moments === "float32" ? tf.zeros([5]) : tf.zeros([momentBytes(moments, [5]) / 4], "int32");
    const inputs = { parameter0: tf.ones([5]), gradient0: tf.ones([5]), m0: moment(), v0: moment() };
    const control = tf.tensor1d([1, 1]);
    const outputs = runKernel(adamw, { ...inputs, control }, { ...attrs, moments });
    const { parameter0, m0, v0 } = inputs;
    expect(outputs.map(({ dataId }) => dataId)).toEqual([parameter0.dataId, m0.dataId, v0.dataId]);
    expect((await parameter0.data())[0]).toBeLessThan(1);
    tf.dispose([...outputs, ...Object.values(inputs), control]);
  });
});

it("BasicAdamw takes any number of tensors in one launch, and none", async () => {
  await start({ image: "ptx" });
  const count = 37;
  const named = Array.from({ length: count }, (_, i) => [
    [`parameter${i}`, tf.fill([i], i)],
    [`gradient${i}`, tf.fill([i], 1)],
    [`m${i}`, tf.zeros([i])],
    [`v${i}`, tf.zeros([i])],
  ]).flat();
  const control = tf.tensor1d([1, 1]);
  const rates = new Float64Array(count).fill(0.5);
  const all = { ...attrs, learningRates: rates, weightDecays: new Float64Array(count), step: 1 };
  const outputs = runKernel(adamw, { ...Object.fromEntries(named), control }, { ...all, moments: "float32" });
  for (let i = 0; i < count; i++) {
    const values = await (outputs[3 * i] as tf.Tensor).data();
    // In the first step a moment divided by its root is the sign of the gradient.
    expect(Array.from(values, (value) => Math.round(value * 1e5) / 1e5)).toEqual(new Array(i).fill(i - 0.5));
  }
  const empty = { ...all, learningRates: new Float64Array(0), weightDecays: new Float64Array(0) };
  expect(runKernel(adamw, { control }, { ...empty, moments: "float32" })).toEqual([]);
  tf.dispose([...outputs, ...named.map(([, tensor]) => tensor as tf.Tensor), control]);
});
