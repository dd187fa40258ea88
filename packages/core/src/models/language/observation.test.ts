import "@tensorflow/tfjs-backend-cpu";

import * as tf from "@tensorflow/tfjs-core";
import { expect, it } from "vitest";

import { valueAndGradients } from "../../autodiff.js";
import { setFallback } from "../../kernels/run.js";
import type { PackedRows } from "../interfaces.js";
import { Observation } from "./observation.js";

setFallback("reference");

/** A row of text, then two visual ones. */
const packed: PackedRows = {
  ids: Int32Array.of(3, -1, -2),
  labels: Int32Array.of(-100, -100, -100),
  offsets: Int32Array.of(0, 3),
  positions: Int32Array.of(0, 1, 2),
  images: [{ sample: 0, start: 1, length: 2 }],
  countsAsText: Int32Array.of(1, 0, 0),
};

const observe = { layerWeights: [1, 2, 3], patchWeights: false, stopGradient: true, blocks: [2] };

it("keeps the sum of the visual rows and those that were asked for, and nothing else", () => {
  const observation = new Observation(observe, packed, 1);
  const x = tf.tensor2d([1, 2, 3, 4, 5, 6], [3, 2]);
  const { numTensors } = tf.memory();
  const left = [1, 2, 3].map((block) => {
    observation.after(block, x, undefined);
    return tf.memory().numTensors - numTensors;
  });
  expect(left).toEqual([1, 2, 2]);
  const { refined, blocks } = observation.seen;
  expect(Array.from((refined as tf.Tensor2D).dataSync())).toEqual([18, 24, 30, 36]);
  expect(blocks.map(([block, rows]) => [block, ...rows.dataSync()])).toEqual([[2, 3, 4, 5, 6]]);
});

it("sends a gradient through the sum where it is asked to", () => {
  const x = tf.tensor2d([1, 2, 3, 4, 5, 6], [3, 2]);
  const { value, gradients } = valueAndGradients(() => {
    const observation = new Observation({ ...observe, stopGradient: false, blocks: [] }, packed, 1);
    for (const block of [1, 2, 3]) observation.after(block, x, undefined);
    return tf.sum(observation.seen.refined as tf.Tensor2D) as tf.Scalar;
  }, [x]);
  expect(value.dataSync()[0]).toBe(108);
  expect(Array.from((gradients[0] as tf.Tensor).dataSync())).toEqual([0, 0, 6, 6, 6, 6]);
});
