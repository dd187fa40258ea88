import "@tensorflow/tfjs-backend-cpu";

import * as tf from "@tensorflow/tfjs-core";
import { beforeAll, describe, expect, it } from "vitest";

import { Parameter, ParameterSet } from "./parameters.js";

beforeAll(async () => {
  await tf.setBackend("cpu");
});

describe("errors of ParameterSet", () => {
  const set = new ParameterSet();

  it("names a parameter that is there twice, or not at all", () => {
    const weight = set.add(new Parameter("linear_1.weight", Float32Array.of(1, 2), [2]));
    expect(() => set.add(weight)).toThrowErrorMatchingInlineSnapshot(
      `[BasicError: Parameter "linear_1.weight" exists already. Give each parameter of a set a name of its own. [E_NAME_DUPLICATE]]`,
    );
    expect(() => set.get("linear_1.wieght")).toThrowErrorMatchingInlineSnapshot(
      `[BasicError: There is no parameter "linear_1.wieght" among 1. Did you mean "linear_1.weight"? Iterate over the set for all names, or ask with has(). [E_WEIGHTS_MISSING]]`,
    );
  });

  it("names both shapes of a value that does not fit", () => {
    expect(() => set.get("linear_1.weight").assign(tf.zeros([3]))).toThrowErrorMatchingInlineSnapshot(
      `[BasicError: Parameter "linear_1.weight" has shape [2], but a value of shape [3] was assigned. Reshape the value, or build the model with the sizes of these weights. [E_SHAPE]]`,
    );
    set.dispose();
  });
});
