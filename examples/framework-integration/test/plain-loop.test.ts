import * as tf from "@tensorflow/tfjs-core";
import { expect, it } from "vitest";

import { runPlainLoop } from "../src/plain-loop.js";

it("trains somebody else's model with BASIC's losses, and turns its visual rows to where it refines them", async () => {
  const [without, supervised] = [await runPlainLoop(40, 0), await runPlainLoop(40, 0.1)];
  expect(supervised[0]).toEqual(without[0]);
  expect(supervised[0]?.language).toBeGreaterThan(1);
  expect(supervised.at(-1)?.language).toBeLessThan(0.2);
  expect(supervised.at(-1)?.direction).toBeLessThan((without.at(-1)?.direction ?? 0) / 2);
  expect(supervised.at(-1)?.distribution).toBeLessThan((without.at(-1)?.distribution ?? 0) / 2);
});

it("leaks no tensors", async () => {
  await runPlainLoop(1, 0.1);
  const before = tf.memory().numTensors;
  await runPlainLoop(2, 0.1);
  expect(tf.memory().numTensors).toBe(before);
});
