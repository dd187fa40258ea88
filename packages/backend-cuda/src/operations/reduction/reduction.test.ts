import * as tf from "@tensorflow/tfjs-core";
import fc from "fast-check";
import { beforeAll, describe, expect, it } from "vitest";

import { TEST_DEVICE } from "../../../test/device.js";
import { check, expectLikeStock, shapes, tensor } from "../../../test/stock.js";
import { start } from "../../index.js";
import { chunksFor, lanesFor } from "./plan.js";

beforeAll(() => start(TEST_DEVICE));

const close = { absolute: 1e-6, relative: 1e-6 };

describe("reductions", () => {
  const reduced = shapes(0, 6, { most: 4 }).chain((shape) =>
    fc.record({
      shape: fc.constant(shape),
      axes:
        shape.length === 0
          ? fc.constant<number[]>([])
          : fc.uniqueArray(fc.nat(shape.length - 1), { minLength: 1 }),
      keep: fc.boolean(),
    }),
  );
  it.each([
    ["sum", tf.sum],
    ["mean", tf.mean],
    ["max", tf.max],
    ["min", tf.min],
    ["prod", tf.prod],
  ] as const)("%s is as stock over any axes", async (_, f) => {
    await check(reduced, ({ shape, axes, keep }) =>
      expectLikeStock(() => f(tensor(shape), axes, keep), close),
    );
  });

  it("all and any are as stock over any axes", async () => {
    await check(reduced, ({ shape, axes, keep }) =>
      expectLikeStock(() => [
        tf.all(tensor(shape, 1, "bool"), axes, keep),
        tf.any(tensor(shape, 2, "bool"), axes, keep),
      ]),
    );
  });

  it("integers and truths are as stock", async () => {
    for (const dtype of ["int32", "bool"] as const) {
      const x = () => tensor([5, 3, 4], 1, dtype);
      await expectLikeStock(
        () => [tf.sum(x(), 1), tf.mean(x(), [0, 2]), tf.max(x(), -1), tf.min(x(), 0), tf.prod(x(), 0)],
        close,
      );
    }
  });

  it("no elements are as stock", async () => {
    const empty = () => tf.tensor2d([], [0, 3], "float32");
    await expectLikeStock(() => [
      tf.sum(empty(), 0),
      tf.sum(empty(), 1),
      tf.sum(empty()),
      tf.prod(empty(), 0),
      tf.mean(empty(), 0),
    ]);
  });

  it("NaN makes an extreme NaN", async () => {
    const x = () => tf.tensor2d([1, Number.NaN, 3, 4, 5, 6], [2, 3]);
    await expectLikeStock(() => [tf.max(x(), 1), tf.min(x(), 1), tf.max(x(), 0)]);
  });

  it("long sums in chunks are exact, along and across rows", async () => {
    await expectLikeStock(() => tf.sum(tf.ones([20_001])));
    await expectLikeStock(() => tf.mean(tensor([1, 9_003])), close);
    await expectLikeStock(() => tf.mean(tensor([4_500, 3]), 0), close);
    await expectLikeStock(() => tf.max(tensor([9_003])));
    await expectLikeStock(() => tf.mean(tensor([9_003], 1, "int32")), close);
  });

  it("small terms beside a large sum are kept", async () => {
    const x = tf.concat([tf.tensor1d([2 ** 24]), tf.ones([1000])]);
    expect((await tf.sum(x).data())[0]).toBe(2 ** 24 + 1000);
  });
});

describe("along an axis", () => {
  const cases = shapes(1, 4).chain((shape) => fc.tuple(fc.constant(shape), fc.nat(shape.length - 1)));

  it("argMax and argMin are as stock, and take the first of equal elements", async () => {
    await check(cases, ([shape, axis]) =>
      expectLikeStock(() => [tf.argMax(tensor(shape), axis), tf.argMin(tensor(shape, 2, "int32"), axis)]),
    );
    await expectLikeStock(() => tf.argMax(tf.tensor2d([1, 3, 3, 2, 2, 2], [2, 3]), 1));
    await expectLikeStock(() => tf.argMax(tensor([3, 1037]), 1));
    const special = [Number.NaN, 1, 2, 1, Number.NaN, 2, -Infinity, -Infinity, -Infinity];
    await expectLikeStock(() => tf.argMax(tf.tensor2d(special, [3, 3]), 1));
  });

  it("cumsum is as stock along any axis, exclusive and reversed", async () => {
    await check(fc.tuple(cases, fc.boolean(), fc.boolean()), ([[shape, axis], exclusive, reverse]) =>
      expectLikeStock(() => tf.cumsum(tensor(shape), axis, exclusive, reverse), {
        absolute: 1e-5,
        relative: 1e-6,
      }),
    );
    await expectLikeStock(() => tf.cumsum(tensor([2, 700], 1, "int32"), 1));
    await expectLikeStock(() => tf.cumsum(tensor([9], 1, "bool"), 0));
  });

  it("topk is as stock", async () => {
    const ranked = shapes(1, 3).chain((shape) =>
      fc.tuple(fc.constant(shape), fc.integer({ min: 0, max: shape.at(-1) ?? 0 })),
    );
    await check(ranked, ([shape, k]) =>
      expectLikeStock(() => {
        const { values, indices } = tf.topk(tensor(shape), k);
        return [values, indices];
      }),
    );
    await expectLikeStock(() => tf.topk(tensor([1200]), 5).values);
  });

  it("puts NaN last in topk", async () => {
    const { values, indices } = tf.topk(tf.tensor1d([Number.NaN, 1, -Infinity, 3]), 4);
    expect([...(await values.data())]).toEqual([3, 1, -Infinity, Number.NaN]);
    expect([...(await indices.data())]).toEqual([3, 1, 2, 0]);
  });
});

describe("the plan", () => {
  it("gives a row more lanes than a column, and long rows a block", () => {
    expect([1, 4, 5, 100, 1024, 1e6].map((length) => lanesFor(length, true))).toEqual([
      1, 1, 2, 32, 256, 256,
    ]);
    expect([1, 4, 100].map((length) => lanesFor(length, false))).toEqual([1, 1, 8]);
  });

  it("cuts few long rows, and no others", () => {
    expect(chunksFor(1, 1e6, 256)).toBe(245);
    expect(chunksFor(1, 4096, 256)).toBe(1);
    expect(chunksFor(10_000, 1e6, 256)).toBe(1);
  });
});
