import { accumulate, runKernel } from "@basic-mllm/core";
import * as tf from "@tensorflow/tfjs-core";
import { expect, it } from "vitest";

import { start } from "../../index.js";

it("adds in place where nothing else holds the sum, else into a copy", async () => {
  await start({ image: "ptx" });
  const [sum, term] = [tf.tensor1d([1, 2, 3, 4, 5]), tf.tensor1d([10, 20, 30, 40, 50])];
  const [total] = runKernel(accumulate, { sum, term }, {}) as [tf.Tensor];
  expect(total.dataId).toBe(sum.dataId);
  const [copied] = runKernel(accumulate, { sum, term }, {}) as [tf.Tensor];
  const [doubled] = runKernel(accumulate, { sum: term, term }, {}) as [tf.Tensor];
  const values = await Promise.all(
    [total, copied, doubled, term].map(async (tensor) => [...(await tensor.data())]),
  );
  expect(values).toEqual([
    [11, 22, 33, 44, 55],
    [21, 42, 63, 84, 105],
    [20, 40, 60, 80, 100],
    [10, 20, 30, 40, 50],
  ]);
  tf.dispose([sum, term, total, copied, doubled]);
});
