import "@tensorflow/tfjs-backend-cpu";

import { valueAndGradients } from "@basic-mllm/core";
import * as tf from "@tensorflow/tfjs-core";
import { beforeAll, describe, expect, it } from "vitest";

import { erf } from "./erf.js";
import { inFloat64 } from "./float64.js";

beforeAll(async () => {
  await tf.setBackend("cpu");
});

describe("inFloat64", () => {
  it("multiplies matrices in double precision", () => {
    const [product] = inFloat64(() => [tf.matMul(tf.tensor2d([[0.1, 0.2]]), tf.tensor2d([[0.3], [0.4]]))]);
    expect(product?.[0]).toBeCloseTo(0.1 * 0.3 + 0.2 * 0.4, 15);
  });

  it("computes unary ops, reductions and softmax in double precision", () => {
    const x = [0.1, -2.3, 3.7];
    const [exp, log, tanh, sum, softmax] = inFloat64(() => {
      const t = tf.tensor1d(x);
      return [tf.exp(t), tf.log(tf.abs(t)), tf.tanh(t), tf.sum(t), tf.softmax(t)];
    });
    const total = x.reduce((all, value) => all + Math.exp(value), 0);
    for (const [i, value] of x.entries()) {
      expect(exp?.[i]).toBeCloseTo(Math.exp(value), 14);
      expect(log?.[i]).toBeCloseTo(Math.log(Math.abs(value)), 14);
      expect(tanh?.[i]).toBeCloseTo(Math.tanh(value), 14);
      expect(softmax?.[i]).toBeCloseTo(Math.exp(value) / total, 14);
    }
    expect(sum?.[0]).toBeCloseTo(1.5, 14);
  });

  it("has an accurate erf, unlike stock tfjs", () => {
    const [values] = inFloat64(() => [tf.erf(tf.tensor1d([0, 0.5, -1, 2, 3.5, 7]))]);
    const expected = [0, 0.5204998778130465, -0.8427007929497149, 0.9953222650189527, 0.9999992569016276, 1];
    for (const [i, value] of expected.entries()) expect(values?.[i]).toBeCloseTo(value, 15);
  });

  it("takes float32 arrays and int32 tensors", () => {
    const single = Float32Array.of(0.1, 0.2);
    const [x, gathered] = inFloat64(() => {
      const t = tf.tensor1d(single);
      return [t, tf.gather(t, tf.tensor1d([1, 1, 0], "int32"))];
    });
    expect([...(x ?? [])]).toEqual([...single]);
    expect([...(gathered ?? [])]).toEqual([single[1], single[1], single[0]]);
  });

  it("differentiates in double precision", () => {
    const [gradient] = inFloat64(() => {
      const x = tf.tensor1d([0.3]);
      return valueAndGradients(() => tf.sum(tf.exp(tf.square(x))) as tf.Scalar, [x]).gradients;
    });
    expect(gradient?.[0]).toBeCloseTo(0.6 * Math.exp(0.09), 14);
  });

  it("puts everything back and leaks nothing", () => {
    const before = tf.memory().numTensors;
    const single = globalThis.Float32Array;
    inFloat64(() => [tf.ones([3])]);
    expect(globalThis.Float32Array).toBe(single);
    expect(tf.getBackend()).toBe("cpu");
    expect(tf.memory().numTensors).toBe(before);
    expect(tf.tidy(() => tf.ones([2]).dataSync())).toBeInstanceOf(Float32Array);
  });

  it("puts everything back when the function throws", () => {
    const before = tf.memory().numTensors;
    expect(() =>
      inFloat64(() => {
        tf.ones([3]);
        throw new Error("no");
      }),
    ).toThrow("no");
    expect(new globalThis.Float32Array(1)).toBeInstanceOf(
      constructorOf(tf.tidy(() => tf.ones([1]).dataSync())),
    );
    expect(tf.getBackend()).toBe("cpu");
    expect(tf.memory().numTensors).toBe(before);
  });

  it("may be called inside itself", () => {
    const [sum] = inFloat64(() => {
      const [inner] = inFloat64(() => [tf.scalar(0.1)]);
      return [tf.scalar((inner?.[0] ?? 0) + 0.2)];
    });
    expect(sum?.[0]).toBe(0.1 + 0.2);
  });
});

describe("erf", () => {
  it("is odd, and has its limits", () => {
    expect(erf(-0.7)).toBe(-erf(0.7));
    expect([erf(0), erf(Number.POSITIVE_INFINITY), erf(Number.NaN)]).toEqual([0, 1, Number.NaN]);
  });

  it("is smooth where its two forms meet", () => {
    expect(erf(3 + 1e-12) - erf(3 - 1e-12)).toBeLessThan(1e-15);
    expect(erf(3)).toBeCloseTo(0.9999779095030014, 15);
  });
});

function constructorOf(values: object): new () => unknown {
  return values.constructor as new () => unknown;
}
