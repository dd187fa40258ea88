import { adamw, type MomentStorage, momentBytes, packMoment, runKernel } from "@basic-mllm/core";
import * as tf from "@tensorflow/tfjs-core";
import { describe, expect, it } from "vitest";

import { withLimits } from "../../../test/own-cases.js";
import { start } from "../../index.js";

const attrs = {
  learningRates: Float64Array.of(1e-2),
  weightDecays: Float64Array.of(0.1),
  beta1: 0.9,
  beta2: 0.99,
  epsilon: 1e-8,
  step: 3,
};

function wave(count: number, seed: number): Float32Array {
  return Float32Array.from({ length: count }, (_, i) => ((i * seed) % 1009) / 504.5 - 1);
}

/** Parameter and moments after a step. */
async function step(count: number, moments: MomentStorage): Promise<readonly ArrayLike<number>[]> {
  const moment = (seed: number, second: boolean) => {
    const values = wave(count, seed).map((value) => (second ? value * value : value));
    if (moments === "float32") return tf.tensor1d(values);
    return tf.tensor1d(packMoment({ storage: moments, second }, values, 2), "int32");
  };
  const [parameter0, gradient0] = [tf.tensor1d(wave(count, 7919)), tf.tensor1d(wave(count, 613))];
  const inputs = { parameter0, gradient0, m0: moment(31, false), v0: moment(17, true) };
  const control = tf.tensor1d([0.5, 1]);
  const outputs = runKernel(adamw, { ...inputs, control }, { ...attrs, moments });
  const values = await Promise.all(outputs.map((output) => output.data()));
  tf.dispose([...outputs, ...Object.values(inputs), control]);
  return values;
}

describe.each(["float32", "bfloat16", "int8"] as const)("BasicAdamw with %s moments", (moments) => {
  it("gives a tensor that is larger than a binding the bits that it gets in one piece", async () => {
    await start();
    const whole = await step(40_001, moments);
    const limits = { maxStorageBufferBindingSize: 16_384 * 4, maxComputeWorkgroupsPerDimension: 9 };
    const inParts = await withLimits(limits, () => step(40_001, moments));
    expect(inParts).toEqual(whole);
  });

  it("writes into the tensors that it gets", async () => {
    await start();
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
