import { runKernel, squaredNorm } from "@basic-mllm/core";
import * as tf from "@tensorflow/tfjs-core";
import { expect, it } from "vitest";

import { start } from "../../index.js";

it("BasicSquaredNorm adds any number of tensors in one launch, and none", async () => {
  await start({ image: "ptx" });
  const tensors = Array.from({ length: 41 }, (_, i) => tf.fill([i % 7 === 0 ? 0 : i], i));
  const inputs = Object.fromEntries(tensors.map((x, i) => [`x${i}` as const, x]));
  const [all, none] = [runKernel(squaredNorm, inputs, {}), runKernel(squaredNorm, {}, {})];
  const expected = tensors.reduce((sum, { size }, i) => sum + size * i ** 2, 0);
  expect([...(await (all[0] as tf.Tensor).data()), ...(await (none[0] as tf.Tensor).data())]).toEqual([
    expected,
    0,
  ]);
  tf.dispose([...tensors, ...all, ...none]);
});
