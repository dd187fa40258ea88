import "@tensorflow/tfjs-backend-cpu";

import * as tf from "@tensorflow/tfjs-core";
import { beforeAll, describe, expect, it } from "vitest";

import { packQ8_0 } from "./kernels/quantised.js";
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

describe("a packed parameter", () => {
  const values = Float32Array.from({ length: 64 }, (_, i) => i - 32);

  it("keeps words, has the shape of its values, and gives them back", async () => {
    const parameter = new Parameter("fc.weight", { storage: "q8_0", words: packQ8_0(values) }, [2, 32]);
    expect([parameter.storage, parameter.shape, parameter.size]).toEqual(["q8_0", [2, 32], 64]);
    expect([parameter.value.dtype, parameter.value.shape]).toEqual(["int32", [17]]);
    for (const [i, value] of (await parameter.floats()).entries()) {
      expect(Math.abs(value - (i - 32))).toBeLessThan(0.2);
    }
    parameter.dispose();
  });

  it("neither trains nor takes another value", () => {
    const parameter = new Parameter("fc.weight", { storage: "q8_0", words: packQ8_0(values) }, [2, 32]);
    expect(parameter.trainable).toBe(false);
    parameter.trainable = false;
    expect(() => {
      parameter.trainable = true;
    }).toThrowErrorMatchingInlineSnapshot(
      `[BasicError: Parameter "fc.weight" is stored as q8_0 and cannot train. Load the model with \`storage: "f32"\`, or freeze this part and train an adapter on it. [E_CONFIG]]`,
    );
    const value = tf.zeros([2, 32]);
    expect(() => parameter.assign(value)).toThrowErrorMatchingInlineSnapshot(
      `[BasicError: Parameter "fc.weight" is stored as q8_0 and cannot be assigned. Load the model with \`storage: "f32"\`. [E_CONFIG]]`,
    );
    value.dispose();
    parameter.dispose();
  });

  it("refuses words of another number of values", () => {
    const words = packQ8_0(values).subarray(1);
    expect(
      () => new Parameter("fc.weight", { storage: "q8_0", words }, [2, 32]),
    ).toThrowErrorMatchingInlineSnapshot(
      `[BasicError: Parameter "fc.weight": 64 values in q8_0 take 17 words, got 16. Pack the values with its pack function. [E_SHAPE]]`,
    );
  });
});
