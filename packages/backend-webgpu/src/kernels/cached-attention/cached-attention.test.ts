import { cachedAttention, runKernel } from "@basic-mllm/core";
import * as tf from "@tensorflow/tfjs-core";
import { afterAll, beforeAll, describe, expect, it } from "vitest";

import { start, stop } from "../../index.js";

beforeAll(() => start());
afterAll(() => stop());

const attrs = {
  offsets: Int32Array.of(0, 1),
  starts: Int32Array.of(2),
  heads: 1,
  kvHeads: 1,
  scale: 1,
  window: 0,
  softcap: 0,
};

const rows = () => ({ q: tf.ones([1, 2]), k: tf.fill([1, 2], 3), v: tf.fill([1, 2], 4) });

describe("buffers of keys and values", () => {
  it("are written in place where nothing else holds them", async () => {
    const before = tf.memory().numTensors;
    const [inputs, keys, values] = [rows(), tf.zeros([1, 4, 2]), tf.zeros([1, 4, 2])];
    const outputs = runKernel(cachedAttention, { ...inputs, keys, values }, attrs);
    expect([outputs[1]?.dataId, outputs[2]?.dataId]).toEqual([keys.dataId, values.dataId]);
    tf.dispose([keys, values]);
    expect([...((await outputs[1]?.data()) ?? [])]).toEqual([0, 0, 0, 0, 3, 3, 0, 0]);
    tf.dispose([...Object.values(inputs), ...outputs]);
    expect(tf.memory().numTensors).toBe(before);
  });

  it("are copied where another tensor shares them", async () => {
    const [inputs, keys, values] = [rows(), tf.zeros([1, 4, 2]), tf.zeros([1, 4, 2])];
    const other = tf.reshape(keys, [4, 2]);
    const outputs = runKernel(cachedAttention, { ...inputs, keys, values }, attrs);
    expect(outputs[1]?.dataId).not.toBe(keys.dataId);
    expect([...(await other.data())]).toEqual(new Array(8).fill(0));
    tf.dispose([...Object.values(inputs), keys, values, other, ...outputs]);
  });
});

describe("a row after many", () => {
  it("is shared by workgroups and gives the mean of equal scores", async () => {
    const room = 700;
    const inputs = { q: tf.zeros([1, 4]), k: tf.zeros([1, 4]), v: tf.zeros([1, 4]) };
    const keys = tf.zeros([1, room, 4]);
    const values = tf.reshape(tf.range(0, room * 4), [1, room, 4]);
    const starts = Int32Array.of(room - 1);
    const outputs = runKernel(cachedAttention, { ...inputs, keys, values }, { ...attrs, starts });
    const expected = [0, 1, 2, 3].map(
      (d) => (((room - 1) * (room - 2)) / 2 / room) * 4 + (d * (room - 1)) / room,
    );
    const y = [...((await outputs[0]?.data()) ?? [])];
    for (const [d, value] of y.entries()) expect(value / (expected[d] ?? 0)).toBeCloseTo(1, 5);
    tf.dispose([...Object.values(inputs), keys, values, ...outputs]);
  });
});
