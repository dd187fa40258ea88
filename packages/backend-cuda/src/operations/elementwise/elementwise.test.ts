import * as tf from "@tensorflow/tfjs-core";
import fc from "fast-check";
import { beforeAll, describe, expect, it } from "vitest";

import { TEST_DEVICE } from "../../../test/device.js";
import {
  broadcastPairs,
  check,
  expectLikeStock,
  shapes,
  smallBroadcastPairs,
  tensor,
} from "../../../test/stock.js";
import { start } from "../../index.js";

beforeAll(() => start(TEST_DEVICE));

const exact = { relative: 1e-6, absolute: 1e-7 };

describe("functions of one tensor", () => {
  const positive = (f: (x: tf.Tensor) => tf.Tensor) => (x: tf.Tensor) => f(tf.add(tf.abs(x), 1e-3));
  const within = (f: (x: tf.Tensor) => tf.Tensor) => (x: tf.Tensor) => f(tf.mul(x, 0.2));
  const functions: Record<string, (x: tf.Tensor) => tf.Tensor> = {
    abs: tf.abs,
    acos: within(tf.acos),
    acosh: (x) => tf.acosh(tf.add(tf.abs(x), 1.5)),
    asin: within(tf.asin),
    asinh: tf.asinh,
    atan: tf.atan,
    atanh: within(tf.atanh),
    ceil: tf.ceil,
    clipByValue: (x) => tf.clipByValue(x, -1.5, 2),
    cos: tf.cos,
    cosh: tf.cosh,
    elu: tf.elu,
    exp: tf.exp,
    expm1: tf.expm1,
    floor: tf.floor,
    isFinite: tf.isFinite,
    isInf: tf.isInf,
    isNaN: tf.isNaN,
    leakyRelu: (x) => tf.leakyRelu(x, 0.1),
    log: positive(tf.log),
    log1p: positive(tf.log1p),
    neg: tf.neg,
    reciprocal: positive(tf.reciprocal),
    relu: tf.relu,
    relu6: tf.relu6,
    round: tf.round,
    rsqrt: positive(tf.rsqrt),
    selu: tf.selu,
    sigmoid: tf.sigmoid,
    sign: tf.sign,
    sin: tf.sin,
    sinh: tf.sinh,
    softplus: tf.softplus,
    sqrt: positive(tf.sqrt),
    square: tf.square,
    step: (x) => tf.step(x, 0.25),
    tan: within(tf.tan),
    tanh: tf.tanh,
  };
  it.each(Object.entries(functions))("%s is as stock", async (_, f) => {
    await check(shapes(0, 6, { least: 0 }), (shape) => expectLikeStock(() => f(tensor(shape)), exact));
  });
});

describe("other values of one tensor", () => {
  it("special values are as stock", async () => {
    const special = [Number.NaN, Number.POSITIVE_INFINITY, Number.NEGATIVE_INFINITY, 0, -1, 89, -104, 1e-20];
    const some = [
      tf.abs,
      tf.exp,
      tf.relu,
      tf.relu6,
      tf.sign,
      tf.sqrt,
      tf.log,
      tf.floor,
      tf.softplus,
      tf.sigmoid,
    ];
    const all = [...some, tf.isNaN, tf.isInf, tf.isFinite, tf.tanh, tf.elu, tf.neg, tf.square, tf.round];
    for (const f of all) await expectLikeStock(() => f(tf.tensor1d(special)) as tf.Tensor, exact);
    await expectLikeStock(() => tf.clipByValue(tf.tensor1d(special), -2, 3));
    await expectLikeStock(() => tf.step(tf.tensor1d(special), 0.5));
  });

  it("erf is as stock up to the error of the stock approximation", async () => {
    await check(shapes(0, 3), (shape) => expectLikeStock(() => tf.erf(tensor(shape)), { absolute: 2e-6 }));
  });

  it("integers and truths are as stock", async () => {
    const functions = [tf.abs, tf.neg, tf.square, tf.sign, tf.relu, tf.relu6];
    for (const f of functions) await expectLikeStock(() => f(tensor([3, 5], 1, "int32")) as tf.Tensor);
    await expectLikeStock(() => tf.exp(tensor([9], 2, "int32")), exact);
    await expectLikeStock(() => tf.clipByValue(tensor([9], 2, "int32"), -1, 2));
    await expectLikeStock(() => tf.isNaN(tensor([9], 2, "int32")));
    await expectLikeStock(() => tf.logicalNot(tensor([9], 2, "bool")));
  });

  it("more elements than a block computes are as stock", async () => {
    await expectLikeStock(() => tf.square(tensor([2051])));
  });
});

describe("functions of two tensors", () => {
  const functions: Record<string, (a: tf.Tensor, b: tf.Tensor) => tf.Tensor> = {
    add: tf.add,
    atan2: tf.atan2,
    sub: tf.sub,
    mul: tf.mul,
    div: (a, b) => tf.div(a, tf.add(tf.abs(b), 0.5)),
    floorDiv: (a, b) => tf.floorDiv(a, tf.add(tf.abs(b), 0.5)),
    maximum: tf.maximum,
    minimum: tf.minimum,
    mod: (a, b) => tf.mod(a, tf.add(tf.round(tf.abs(b)), 1)),
    pow: (a, b) => tf.pow(tf.add(tf.abs(a), 0.1), b),
    prelu: tf.prelu,
    squaredDifference: tf.squaredDifference,
    greater: tf.greater,
    greaterEqual: tf.greaterEqual,
    less: tf.less,
    lessEqual: tf.lessEqual,
    equal: (a, b) => tf.equal(tf.round(a), tf.round(b)),
    notEqual: (a, b) => tf.notEqual(tf.round(a), tf.round(b)),
  };
  it.each(Object.entries(functions))("%s broadcasts as stock", async (_, f) => {
    await check(broadcastPairs, ({ a, b }) =>
      expectLikeStock(() => f(tensor(a, 1), tensor(b, 2)), { relative: 2e-6, absolute: 1e-7 }),
    );
  });

  it("axes of 0, 1 and 3 elements broadcast as stock", async () => {
    for (const { a, b } of smallBroadcastPairs()) {
      await expectLikeStock(() => [tf.add(tensor(a, 1), tensor(b, 2)), tf.less(tensor(a, 1), tensor(b, 2))]);
    }
  });

  it("rows, columns and scalars beside a matrix are as stock, by fours and one at a time", async () => {
    for (const [height, width] of [
      [9, 32],
      [7, 41],
    ] as const) {
      for (const b of [[height, width], [width], [height, 1], [1, 1], []]) {
        await expectLikeStock(() => tf.sub(tensor([height, width], 1), tensor(b, 2)));
        await expectLikeStock(() => tf.sub(tensor(b, 2), tensor([height, width], 1)));
      }
    }
  });

  it("integers are as stock, and wrap as typed arrays do", async () => {
    const pair = ([f, away]: readonly [(a: tf.Tensor, b: tf.Tensor) => tf.Tensor, number]) =>
      expectLikeStock(() =>
        f(tensor([4, 5], 1, "int32"), tf.add(tensor([5], 2, "int32"), tf.scalar(away, "int32"))),
      );
    for (const f of [
      tf.add,
      tf.sub,
      tf.mul,
      tf.maximum,
      tf.minimum,
      tf.squaredDifference,
      tf.equal,
      tf.greater,
    ]) {
      await pair([f, 0]);
    }
    await pair([tf.mod, 9]);
    await pair([tf.floorDiv, -9]);
    await pair([tf.floorDiv, 9]);
    const large = () => tf.tensor1d([2 ** 31 - 1, -(2 ** 31), 7, -7], "int32");
    for (const f of [tf.add, tf.floorDiv, tf.mod])
      await expectLikeStock(() => f(large(), tf.scalar(-1, "int32")));
    await expectLikeStock(() => tf.floorDiv(large(), tf.scalar(0, "int32")));
    await expectLikeStock(() => tf.bitwiseAnd(large() as tf.Tensor, tf.fill([4], 6, "int32") as tf.Tensor));
  });

  it("a quotient just below an integer is not rounded up to it", async () => {
    const divide = (sign: number, other: number) => () =>
      tf.floorDiv(
        tf.tensor1d([3.0003786 * sign, 3.0007577 * sign]),
        tf.tensor1d([1.0001262 * other, 1.0002526 * other]),
      );
    for (const sign of [1, -1]) for (const other of [1, -1]) await expectLikeStock(divide(sign, other));
    expect(await divide(1, 1)().data()).toEqual(new Int32Array([2, 2]));
    await expectLikeStock(() =>
      tf.floorDiv(tf.tensor1d([1, -1, 0, 3e5, Infinity]), tf.tensor1d([0, 0, 0, 3, 2])),
    );
  });

  it("truths are as stock", async () => {
    for (const f of [tf.logicalAnd, tf.logicalOr, tf.equal, tf.notEqual]) {
      await check(broadcastPairs, ({ a, b }) =>
        expectLikeStock(() => f(tensor(a, 1, "bool"), tensor(b, 2, "bool"))),
      );
    }
  });

  it("NaN goes through a maximum and a minimum", async () => {
    const a = () => tf.tensor1d([Number.NaN, 1, Number.NaN]);
    const b = () => tf.tensor1d([1, Number.NaN, Number.NaN]);
    await expectLikeStock(() => [tf.maximum(a(), b()), tf.minimum(a(), b())]);
  });

  it("addN is as stock for any number of terms", async () => {
    await check(fc.tuple(shapes(0, 3), fc.integer({ min: 1, max: 6 })), ([shape, n]) =>
      expectLikeStock(() => tf.addN(Array.from({ length: n }, (_, i) => tensor(shape, i))), exact),
    );
    await expectLikeStock(() => tf.addN([tensor([5], 1, "int32"), tensor([5], 2, "int32")]));
  });

  it("one tensor on both sides is as stock", async () => {
    await expectLikeStock(() => {
      const x = tensor([3, 8]);
      return tf.mul(x, x);
    });
  });

  it("says what it does not take", async () => {
    await start(TEST_DEVICE);
    expect(() => tf.pow(tensor([2], 1, "int32"), tensor([2], 2, "int32"))).toThrowErrorMatchingInlineSnapshot(
      `[BasicError: Pow on the backend "basiccuda" does not take int32 with int32. Cast both to float32. [E_KERNEL_MISSING]]`,
    );
    expect(() => tf.add(tf.tensor1d(["a"]), tf.tensor1d(["b"]))).toThrow();
    expect(() => tf.equal(tf.tensor1d(["a"]), tf.tensor1d(["b"]))).toThrowErrorMatchingInlineSnapshot(
      `[BasicError: Equal on the backend "basiccuda" does not take string tensors. Use float32, int32 or bool, or compute on the host. [E_KERNEL_MISSING]]`,
    );
  });
});

describe("select", () => {
  it("is as stock for a condition per element, and right where stock has elements too many", async () => {
    const checkPair = async ({ a, b }: { a: number[]; b: number[] }) => {
      const select = () => tf.where(tf.greater(tensor(a, 3), 0), tensor(a, 1), tensor(b, 2));
      const shape = tf.broadcast_util.assertAndGetBroadcastShape(a, b);
      if (!shape.includes(0)) return expectLikeStock(select);
      await start(TEST_DEVICE);
      expect(select().shape).toEqual(shape);
    };
    for (const pair of smallBroadcastPairs()) await checkPair(pair);
    await check(broadcastPairs, checkPair);
    await expectLikeStock(() =>
      tf.where(tensor([6], 1, "bool"), tensor([6], 1, "int32"), tensor([6], 2, "int32")),
    );
  });

  it("gives no elements where one of the three has none", async () => {
    await start(TEST_DEVICE);
    const [some, none] = [tf.ones([3, 1]), tf.ones([3, 0])];
    const condition = (x: tf.Tensor) => tf.cast(x, "bool");
    for (const [c, t, e] of [
      [none, some, some],
      [some, none, some],
      [some, some, none],
    ] as const) {
      const y = tf.where(condition(c), t, e);
      expect(y.shape).toEqual([3, 0]);
      expect(await y.data()).toHaveLength(0);
    }
  });

  it("refuses shapes that differ", async () => {
    await start(TEST_DEVICE);
    const inputs = { condition: tf.ones([2], "bool"), t: tf.ones([4]), e: tf.ones([3]) };
    expect(() => tf.engine().runKernel("Select", inputs)).toThrowErrorMatchingInlineSnapshot(
      `[BasicError: Select on the backend "basiccuda" does not take shapes that differ ([2], [4], [3]). Broadcast them to one shape. [E_KERNEL_MISSING]]`,
    );
  });

  it("takes a condition per row", async () => {
    await start(TEST_DEVICE);
    const rows = tf.engine().runKernel("Select", {
      condition: tf.tensor1d([1, 0, 1], "bool"),
      t: tf.ones([3, 2]),
      e: tf.zeros([3, 2]),
    }) as tf.Tensor;
    expect([...(await rows.data())]).toEqual([1, 1, 0, 0, 1, 1]);
  });
});
