import "@tensorflow/tfjs-backend-cpu";

import * as tf from "@tensorflow/tfjs-core";
import { afterAll, beforeAll, expect, it } from "vitest";

import { valueAndGradients } from "../autodiff.js";
import { implementKernel } from "./contract.js";
import { rowGather } from "./row-gather.js";
import { runKernel, setFallback } from "./run.js";

let fails = false;

beforeAll(async () => {
  await tf.setBackend("cpu");
  setFallback("reference");
  implementKernel({
    contract: rowGather,
    backend: "cpu",
    run: ({ inputs: { x }, attrs: { rows }, outputShapes }) => {
      if (fails) throw new Error("no memory");
      expect(outputShapes ?? [[rows.length, 2]]).toEqual([[rows.length, 2]]);
      return tf.gather(tf.tensor(tf.backend().readSync(x.dataId), [3, 2]), tf.tensor1d(rows, "int32"));
    },
  });
});
afterAll(() => {
  setFallback("error");
  tf.unregisterKernel(rowGather.name, "cpu");
});

const rows = Int32Array.of(2, 0);
const gather = (x: tf.Tensor) => runKernel(rowGather, { x }, { rows })[0] as tf.Tensor;

it("runs a registered kernel, and tells the profiler of tfjs", async () => {
  const x = tf.tensor2d([1, 2, 3, 4, 5, 6], [3, 2]);
  expect(gather(x).arraySync()).toEqual([
    [5, 6],
    [1, 2],
  ]);
  const { kernelNames } = await tf.profile(() => gather(x));
  expect(kernelNames).toContain("BasicRowGather");
});

it("saves inputs for a gradient only where one depends on a parameter", () => {
  const [x, constant] = [tf.ones([3, 2]), tf.ones([3, 2])];
  const saved = (of: tf.Tensor) => {
    let count = 0;
    tf.tidy(() => {
      valueAndGradients(() => {
        const before = tf.memory().numTensors;
        gather(of);
        count = tf.memory().numTensors - before;
        return tf.sum(x);
      }, [x]);
    });
    return count;
  };
  expect(saved(x) - saved(constant)).toBe(1);
});

it("gives the gradient of our tape and of tfjs's", () => {
  const x = tf.tensor2d([1, 2, 3, 4, 5, 6], [3, 2]);
  const loss = () => tf.sum(tf.square(gather(x))) as tf.Scalar;
  const expected = [
    [2, 4],
    [0, 0],
    [10, 12],
  ];
  expect(valueAndGradients(loss, [x]).gradients[0]?.arraySync()).toEqual(expected);
  expect(
    tf
      .grad((of: tf.Tensor) => tf.sum(tf.square(gather(of))))(x)
      .arraySync(),
  ).toEqual(expected);
});

it("leaves tfjs as it was when a kernel throws", () => {
  const x = tf.ones([3, 2]);
  fails = true;
  expect(() => gather(x)).toThrow("no memory");
  fails = false;
  expect(tf.engine().state.kernelDepth).toBe(0);
  expect(gather(x).shape).toEqual([2, 2]);
});
