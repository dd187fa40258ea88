import * as tf from "@tensorflow/tfjs-core";
import { expect, it } from "vitest";

import { start } from "./start.js";

it("starts and multiplies matrices", async () => {
  expect(await start({ threads: 1 })).toBe("basiccpu");
  const a = tf.tensor2d([1, 2, 3, 4, 5, 6], [2, 3]);
  const b = tf.tensor2d([1, 0, 0, 1, 1, 1], [3, 2]);
  expect([...tf.matMul(a, b).dataSync()]).toEqual([4, 5, 10, 11]);
  expect([...tf.matMul(a, a, false, true).dataSync()]).toEqual([14, 32, 32, 77]);
});
