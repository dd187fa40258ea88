import { accumulate, direction, runKernel, squaredNorm } from "@basic-mllm/core";
import * as tf from "@tensorflow/tfjs-core";
import { describe, expect, it } from "vitest";

import { failuresOf, withLimits } from "../../../test/own-cases.js";
import { start } from "../../index.js";

const SMALL = { maxStorageBufferBindingSize: 40_000, maxComputeWorkgroupsPerDimension: 2 };

describe("BasicSquaredNorm", () => {
  it("adds tensors that are larger than a binding", async () => {
    const inputs = { x0: { shape: [30_001] }, x1: { shape: [7] }, x2: { shape: [25, 1001] } };
    expect(
      await withLimits(SMALL, () => failuresOf(squaredNorm, [{ title: "large", inputs, attrs: {} }])),
    ).toEqual([]);
  });

  it("adds more tensors than one dispatch takes, and none", async () => {
    await start();
    const tensors = Array.from({ length: 17 }, (_, i) => tf.fill([i], i));
    const inputs = Object.fromEntries(tensors.map((x, i) => [`x${i}` as const, x]));
    const [all, none] = [runKernel(squaredNorm, inputs, {}), runKernel(squaredNorm, {}, {})];
    const expected = tensors.reduce((sum, _, i) => sum + i ** 3, 0);
    expect([...(await (all[0] as tf.Tensor).data()), ...(await (none[0] as tf.Tensor).data())]).toEqual([
      expected,
      0,
    ]);
    tf.dispose([...tensors, ...all, ...none]);
  });
});

describe("BasicAccumulate", () => {
  it("adds tensors that are larger than a binding", async () => {
    const inputs = { sum: { shape: [30_001] }, term: { shape: [30_001] } };
    expect(
      await withLimits(SMALL, () => failuresOf(accumulate, [{ title: "large", inputs, attrs: {} }])),
    ).toEqual([]);
  });

  it("adds in place where nothing else holds the sum, else into a copy", async () => {
    await start();
    const [sum, term] = [tf.tensor1d([1, 2, 3]), tf.tensor1d([10, 20, 30])];
    const [total] = runKernel(accumulate, { sum, term }, {}) as [tf.Tensor];
    expect(total.dataId).toBe(sum.dataId);
    const [copied] = runKernel(accumulate, { sum, term }, {}) as [tf.Tensor];
    const [doubled] = runKernel(accumulate, { sum: term, term }, {}) as [tf.Tensor];
    const values = await Promise.all(
      [total, copied, doubled, term].map(async (tensor) => [...(await tensor.data())]),
    );
    expect(values).toEqual([
      [11, 22, 33],
      [21, 42, 63],
      [20, 40, 60],
      [10, 20, 30],
    ]);
    tf.dispose([sum, term, total, copied, doubled]);
  });
});

it("takes more rows than one axis of a dispatch has workgroups", async () => {
  await withLimits({ maxComputeWorkgroupsPerDimension: 7 }, async () => {
    const rows = 50;
    const [v, r, a] = [tf.ones([rows, 1]), tf.fill([rows, 1], -1), tf.ones([rows])];
    const [loss] = runKernel(direction, { v, r, a }, {}) as [tf.Tensor];
    expect((await loss.data()).every((value) => value === 4)).toBe(true);
    tf.dispose([v, r, a, loss]);
  });
});
