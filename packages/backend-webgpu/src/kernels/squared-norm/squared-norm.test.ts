import { runKernel, squaredNorm } from "@basic-mllm/core";
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
