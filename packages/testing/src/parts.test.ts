import { Parameter, ParameterSet } from "@basic-mllm/core";
import * as tf from "@tensorflow/tfjs-core";
import { beforeAll, describe, expect, it } from "vitest";

import {
  checkOnDevice,
  checkSlopes,
  namesWithGradient,
  normalTensor,
  type ScalarFunction,
  startStockCpu,
} from "./parts.js";

beforeAll(() => startStockCpu());

interface Scale {
  readonly parameters: ParameterSet;
}

const create = (): Scale => {
  const parameters = new ParameterSet();
  parameters.add(new Parameter("scale", Float32Array.of(1, 1, 1), [3]));
  return { parameters };
};

/** `Σ scale · x²`, through an op whose gradient may be made wrong. */
const squares = (square: (x: tf.Tensor) => tf.Tensor): ScalarFunction<Scale> => ({
  create,
  values: { x: normalTensor([2, 3], "x"), "parameters/scale": normalTensor([3], "scale") },
  loss: ({ parameters }, { x }) =>
    tf.sum(tf.mul(square(x as tf.Tensor), parameters.get("scale").value)) as tf.Scalar,
});

const wrongSquare = tf.customGrad((x, save) => {
  (save as (tensors: tf.Tensor[]) => void)([x as tf.Tensor]);
  return {
    value: tf.square(x as tf.Tensor),
    gradFunc: (dy, [saved]) => tf.mul(dy as tf.Tensor, saved as tf.Tensor),
  };
});

const names = ["x", "parameters/scale"];

describe("checkSlopes", () => {
  it("accepts a right gradient", () => {
    expect(checkSlopes(squares(tf.square), names)).toEqual([]);
  });

  it("names the tensor whose gradient is wrong", () => {
    const lines = checkSlopes(squares(wrongSquare), names);
    expect(lines).toHaveLength(1);
    expect(lines[0]).toMatch(/^the gradient of x gives a slope of/);
  });
});

describe("namesWithGradient", () => {
  it("leaves out what the loss does not depend on", () => {
    const fn = squares(tf.square);
    expect(
      namesWithGradient({ ...fn, loss: (_, { x }) => tf.sum(x as tf.Tensor) as tf.Scalar }, names),
    ).toEqual(["x"]);
  });
});

describe("checkOnDevice", () => {
  it("accepts a right function, and leaks nothing itself", async () => {
    expect(await checkOnDevice(squares(tf.square), names)).toEqual([]);
  });

  it("finds a leak", async () => {
    const leaky = (x: tf.Tensor) => tf.square(tf.keep(tf.neg(x)));
    const lines = await checkOnDevice(squares(leaky), names);
    expect(lines).toEqual(["leaks 1 tensors and 1 buffers"]);
  });

  it("finds a result that depends on the precision of the device", async () => {
    const rounded = (x: tf.Tensor) => tf.sub(tf.add(tf.square(x), 1e6), 1e6);
    const lines = await checkOnDevice(squares(rounded), names);
    expect(lines[0]).toMatch(/^loss\[0\] is /);
  });
});
