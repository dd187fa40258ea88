import * as tf from "@tensorflow/tfjs-core";
import fc from "fast-check";
import { beforeAll, describe, expect, it } from "vitest";

import { TEST_DEVICE } from "../../../test/device.js";
import { check, expectLikeStock, shapes, tensor } from "../../../test/stock.js";
import { start } from "../../index.js";

beforeAll(() => start(TEST_DEVICE));

const close = { absolute: 1e-6, relative: 1e-6 };

describe("softmax", () => {
  it("is as stock, and so is its logarithm", async () => {
    await check(shapes(1, 3, { least: 0 }), async (shape) => {
      if (shape.at(-1) === 0) return;
      await expectLikeStock(() => tf.softmax(tensor(shape)), close);
      await expectLikeStock(() => tf.logSoftmax(tensor(shape)), close);
    });
    await expectLikeStock(() => tf.softmax(tensor([2, 1031])), close);
  });

  it("of large and infinite values is as stock", async () => {
    await expectLikeStock(
      () => tf.softmax(tf.tensor2d([1e30, 1, 2, -Infinity, 0, 1, Number.NaN, 1, 2], [3, 3])),
      close,
    );
  });

  it("has a kernel for the logarithm alone", async () => {
    const x = tf.tensor2d([1, 2, 3, 0, 0, 0], [2, 3]);
    const own = tf.engine().runKernel("LogSoftmax", { logits: x }, { axis: -1 }) as tf.Tensor;
    const composed = await tf.logSoftmax(x).data();
    for (const [i, value] of (await own.data()).entries())
      expect(value).toBeCloseTo(composed[i] as number, 6);
    expect(() =>
      tf.engine().runKernel("LogSoftmax", { logits: x }, { axis: 0 }),
    ).toThrowErrorMatchingInlineSnapshot(
      `[BasicError: LogSoftmax on the backend "basiccuda" does not take axis 0 of rank 2. Transpose so that it is the last one. [E_KERNEL_MISSING]]`,
    );
  });
});

describe("gather", () => {
  it("is as stock along any axis", async () => {
    const cases = shapes(1, 4).chain((shape) =>
      fc
        .nat(shape.length - 1)
        .chain((axis) =>
          fc.tuple(
            fc.constant(shape),
            fc.constant(axis),
            fc.array(fc.nat((shape[axis] as number) - 1), { minLength: 0, maxLength: 6 }),
          ),
        ),
    );
    await check(cases, ([shape, axis, ids]) =>
      expectLikeStock(() => tf.gather(tensor(shape), tf.tensor1d(ids, "int32"), axis)),
    );
  });

  it("takes rows of 16 bytes, integers, matrices of indices and batches", async () => {
    await expectLikeStock(() => tf.gather(tensor([5, 8]), tf.tensor1d([4, 0, 4], "int32")));
    await expectLikeStock(() =>
      tf.gather(tensor([5, 3], 1, "int32"), tf.tensor2d([4, 0, 1, 2], [2, 2], "int32")),
    );
    await expectLikeStock(() =>
      tf.gather(tensor([2, 5, 3]), tf.tensor2d([4, 0, 1, 2], [2, 2], "int32"), 1, 1),
    );
  });
});

describe("sums into rows", () => {
  it("unsortedSegmentSum is as stock, and skips ids outside", async () => {
    const ids = () => tf.tensor1d([0, 4, 1, -1, 4, 9, 1], "int32");
    await expectLikeStock(() => tf.unsortedSegmentSum(tensor([7, 5]), ids(), 6), close);
    // tfjs makes floats of integers here.
    await expectLikeStock(() => tf.cast(tf.unsortedSegmentSum(tensor([7], 1, "int32"), ids(), 6), "float32"));
    await expectLikeStock(() => tf.unsortedSegmentSum(tensor([0, 5]), tf.tensor1d([], "int32"), 3));
  });

  it("unsortedSegmentSum refuses ids that are not one for each row, which tfjs lets pass", () => {
    const ids = tf.tensor1d([0, 1, 0], "int32");
    const sum = () => tf.unsortedSegmentSum(tf.ones([2, 3]), ids, 2);
    expect(sum).toThrowErrorMatchingInlineSnapshot(
      `[BasicError: UnsortedSegmentSum: segment ids of shape [3] do not fit values of shape [2, 3]. Give an id for each row: the shape of the values must begin with that of the ids. [E_SHAPE]]`,
    );
    expect(() => tf.unsortedSegmentSum(tf.ones([3]), ids, -1)).toThrow(
      "the result would have the shape [-1]",
    );
  });

  it("scatterND is as stock, and adds what meets", async () => {
    await expectLikeStock(
      () => tf.scatterND(tf.tensor2d([4, 1, 4], [3, 1], "int32"), tensor([3, 8]), [6, 8]),
      close,
    );
    await expectLikeStock(
      () => tf.scatterND(tf.tensor2d([1, 2, 0, 1, 1, 2], [3, 2], "int32"), tensor([3, 5]), [2, 3, 5]),
      close,
    );
    await expectLikeStock(() => tf.scatterND(tf.tensor1d([3, 0], "int32"), tensor([2], 1, "int32"), [5]));
  });

  it("gives each thread several rows where there are many", async () => {
    const x = tensor([5, 3]);
    const ids = tf.tensor1d([90_000, 3, 90_000, 4, 0], "int32");
    const sums = tf.unsortedSegmentSum(x, ids, 100_000);
    const picked = tf.gather(sums, tf.tensor1d([0, 3, 4, 90_000, 99_999], "int32"));
    const rows = tf.tensor2d(
      [0, 0, 0, 0, 1, 0, 1, 0, 0, 0, 0, 0, 0, 1, 0, 1, 0, 1, 0, 0, 0, 0, 0, 0, 0],
      [5, 5],
    );
    const wanted = await tf.matMul(rows, x).data();
    for (const [i, value] of (await picked.data()).entries())
      expect(value).toBeCloseTo(wanted[i] as number, 5);
  });
});

it("oneHot is as stock, and leaves out indices outside", async () => {
  await expectLikeStock(() => tf.oneHot(tf.tensor1d([0, 2, 4, -1, 5], "int32"), 5));
  await expectLikeStock(() => tf.oneHot(tf.tensor2d([0, 2, 1, 1], [2, 2], "int32"), 3, 0.5, -1, "float32"));
  await expectLikeStock(() => tf.oneHot(tf.tensor1d([1, 0], "int32"), 2, 1, 0, "bool"));
});
