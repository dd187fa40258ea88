import { accumulate, runKernel } from "@basic-mllm/core";
import * as tf from "@tensorflow/tfjs-core";
import { describe, expect, it } from "vitest";

import { failuresOf, withLimits } from "../../../test/own-cases.js";
import { start } from "../../index.js";

const SMALL = { maxStorageBufferBindingSize: 40_000, maxComputeWorkgroupsPerDimension: 2 };

describe("BasicAccumulate", () => {
  it("adds tensors that are larger than a binding", async () => {
    const cases = [30_001, 30_000].map((size) => ({
      title: `${size} elements`,
      inputs: { sum: { shape: [size] }, term: { shape: [size] } },
      attrs: {},
    }));
    expect(await withLimits(SMALL, () => failuresOf(accumulate, cases))).toEqual([]);
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
