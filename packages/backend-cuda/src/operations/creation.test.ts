import * as tf from "@tensorflow/tfjs-core";
import { beforeAll, expect, it } from "vitest";

import { TEST_DEVICE } from "../../test/device.js";
import { expectLikeStock, tensor } from "../../test/stock.js";
import { start } from "../index.js";

beforeAll(() => start(TEST_DEVICE));

it("casts are as stock", async () => {
  const numbers = () =>
    tf.tensor1d([0, 1.9, -1.9, 3e9, -3e9, Number.NaN, Number.POSITIVE_INFINITY, 1e20, -0.5]);
  await expectLikeStock(() => [
    tf.cast(numbers(), "int32"),
    tf.cast(numbers(), "bool"),
    tf.cast(numbers(), "float32"),
  ]);
  const integers = () => tf.tensor1d([1, -7, 2 ** 30, 0], "int32");
  await expectLikeStock(() => [tf.cast(integers(), "float32"), tf.cast(integers(), "bool")]);
  const truths = () => tf.tensor1d([true, false], "bool");
  await expectLikeStock(() => [tf.cast(truths(), "float32"), tf.cast(truths(), "int32")]);
});

it("fills are as stock", async () => {
  await expectLikeStock(() => [
    tf.fill([3, 2], 1.25),
    tf.fill([3], 2, "int32"),
    tf.fill([0, 3], 1),
    tf.fill([], -2),
  ]);
  for (const dtype of ["float32", "int32", "bool"] as const) {
    await expectLikeStock(() => [tf.zerosLike(tensor([3], 1, dtype)), tf.onesLike(tensor([2, 2], 1, dtype))]);
  }
  await expectLikeStock(() => [tf.zeros([2]), tf.ones([3]), tf.scalar(3.5), tf.eye(3)]);
});

it("ranges are as stock", async () => {
  for (const [start, stop, step] of [
    [0, 5, 1],
    [5, 0, 1],
    [5, 0, -2],
    [0, 5, -1],
    [5, 0, 2],
    [2, 2, 1],
  ] as const) {
    await expectLikeStock(() => tf.range(start, stop, step, "int32"));
  }
  await expectLikeStock(() => [tf.range(0, 1, 0.1), tf.linspace(-1, 2, 7), tf.linspace(3, 4, 1)], {
    absolute: 1e-6,
  });
});

it("shapes change without a copy", async () => {
  await expectLikeStock(() => [
    tf.reshape(tensor([2, 6]), [3, -1]),
    tf.expandDims(tensor([2, 3]), -1),
    tf.clone(tensor([2])),
  ]);
  const x = tensor([2, 3]);
  expect(tf.reshape(x, [6]).dataId).toBe(x.dataId);
});

it("no elements do not become some, which tfjs lets pass", () => {
  expect(tf.reshape(tf.ones([0, 3]), [2, 0]).shape).toEqual([2, 0]);
  expect(() => tf.reshape(tf.ones([0, 3]), [4])).toThrowErrorMatchingInlineSnapshot(
    `[BasicError: Reshape: a tensor of shape [0, 3] has 0 elements, but [4] has 4. Give a shape with as many. [E_SHAPE]]`,
  );
});

it("results are not larger than kernels count", () => {
  expect(() => tf.fill([2 ** 16, 2 ** 15], 1)).toThrowErrorMatchingInlineSnapshot(
    `[BasicError: Fill: a tensor of shape [65536, 32768] has more than 2^31 - 1024 elements, the most that stock operations take on the CUDA backend. Split it along its first axis. [E_SHAPE]]`,
  );
  expect(() => tf.add(tf.ones([2 ** 16, 1]), tf.ones([1, 2 ** 15]))).toThrow(
    "Add: a tensor of shape [65536, 32768] has more than",
  );
});

it("says so where tfjs has an operation that this backend has not", () => {
  expect(() =>
    tf.conv2d(tf.zeros([1, 4, 4, 1]) as tf.Tensor4D, tf.zeros([2, 2, 1, 1]) as tf.Tensor4D, 1, "same"),
  ).toThrowErrorMatchingInlineSnapshot(
    `[BasicError: The tfjs operation Conv2D has no kernel on the backend "basiccuda". Compose it of those that docs/kernels.md lists, write a kernel contract for it (CONTRIBUTING.md), or use the backend "cpu", which has all of them. [E_KERNEL_MISSING]]`,
  );
  expect(() => tf.einsum("ij,jk->ik", tf.ones([2, 2]), tf.ones([2, 2]))).toThrow("Einsum has no kernel");
  expect(() => tf.fill([1], "a", "string")).toThrowErrorMatchingInlineSnapshot(
    `[BasicError: Fill on the backend "basiccuda" does not take string tensors. Use float32, int32 or bool, or compute on the host. [E_KERNEL_MISSING]]`,
  );
});
