import { direction, runKernel } from "@basic-mllm/core";
import * as tf from "@tensorflow/tfjs-core";
import { expect, it } from "vitest";

import { withLimits } from "../../../test/own-cases.js";

it("takes more rows than one axis of a dispatch has workgroups", async () => {
  await withLimits({ maxComputeWorkgroupsPerDimension: 7 }, async () => {
    const rows = 50;
    const [v, r, a] = [tf.ones([rows, 1]), tf.fill([rows, 1], -1), tf.ones([rows])];
    const [loss] = runKernel(direction, { v, r, a }, {}) as [tf.Tensor];
    expect((await loss.data()).every((value) => value === 4)).toBe(true);
    tf.dispose([v, r, a, loss]);
  });
});
