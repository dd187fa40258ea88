import * as tf from "@tensorflow/tfjs-core";
import fc from "fast-check";
import { beforeAll, expect, it, vi } from "vitest";

import { TEST_DEVICE } from "../../../test/device.js";
import { check, expectLikeStock, shapes, tensor } from "../../../test/stock.js";
import { start, startedBackend } from "../../index.js";

beforeAll(() => start(TEST_DEVICE));

it("transpose is as stock for any permutation", async () => {
  const permuted = shapes(0, 6, { least: 0 }).chain((shape) =>
    fc.record({
      shape: fc.constant(shape),
      perm: fc.shuffledSubarray([...shape.keys()], { minLength: shape.length }),
    }),
  );
  await check(permuted, ({ shape, perm }) => expectLikeStock(() => tf.transpose(tensor(shape), perm)));
  await expectLikeStock(() => tf.transpose(tensor([33, 70])));
  await expectLikeStock(() => tf.transpose(tensor([3, 35, 4, 12]), [0, 2, 1, 3]));
  await expectLikeStock(() => tf.transpose(tensor([3, 35, 4, 12]), [0, 2, 3, 1]));
  await expectLikeStock(() => tf.transpose(tensor([8, 9, 10], 1, "int32"), [2, 1, 0]));
});

it("transpose refuses an axis that is named twice, which tfjs lets pass", () => {
  expect(() => tf.transpose(tf.ones([2, 3]), [1, 1])).toThrowErrorMatchingInlineSnapshot(
    `[BasicError: Transpose: [1, 1] names an axis twice. Give every axis once. [E_SHAPE]]`,
  );
});

it("a transposition that moves nothing copies nothing", async () => {
  const x = tensor([1, 6, 1]);
  const y = tf.transpose(x, [1, 0, 2]);
  expect(y.dataId).toBe(x.dataId);
});

it("slice is as stock", async () => {
  const boxes = shapes(1, 5).chain((shape) =>
    fc.tuple(...shape.map((size) => fc.tuple(fc.nat(size - 1), fc.nat(size)))).map((pairs) => ({
      shape,
      begin: pairs.map(([begin]) => begin),
      size: pairs.map(([begin, size], axis) => Math.min(size, (shape[axis] as number) - begin)),
    })),
  );
  await check(boxes, ({ shape, begin, size }) => expectLikeStock(() => tf.slice(tensor(shape), begin, size)));
  await expectLikeStock(() => tf.slice(tensor([9, 16]), [2, 4], [5, 8]));
  await expectLikeStock(() => tf.slice(tensor([9, 4], 1, "bool"), [2], [5]));
});

it("slice and split refuse parts that are not inside, which tfjs lets pass", () => {
  const x = tf.ones([4, 3]);
  expect(() => tf.slice(x, [-2, 0], [2, 3])).toThrowErrorMatchingInlineSnapshot(
    `[BasicError: Slice: the part of size [2, 3] at [-2, 0] is not inside of a tensor of shape [4, 3]. Count positions from the start of each axis, from 0 on. [E_SHAPE]]`,
  );
  expect(() => tf.slice(x, [6, 0], [-1, 3])).toThrow("is not inside of a tensor of shape [4, 3]");
  expect(() => tf.split(x, [-3, 7])).toThrow("SplitV: the part of size [-3, 3] at [0, 0] is not inside");
});

it("stridedSlice is as stock, with steps back and axes that go", async () => {
  await expectLikeStock(() => tf.stridedSlice(tensor([7, 5, 3]), [6, 1], [0, 5], [-2, 3]));
  await expectLikeStock(() => tf.stridedSlice(tensor([7, 5]), [1, 0], [5, 5], [2, 1]));
  await expectLikeStock(() => tf.stridedSlice(tensor([7, 5]), [1, 0], [5, 5], [1, 1], 0, 0, 0, 0, 0));
  await expectLikeStock(() => tf.stridedSlice(tensor([7, 5]), [3, 0], [3, 5], [1, 2]));
  const row = tf.stridedSlice(
    tf.tensor2d([1, 2, 3, 4, 5, 6], [2, 3]),
    [1, 2],
    [2, -4],
    [1, -1],
    0,
    2,
    0,
    0,
    1,
  );
  expect(row.shape).toEqual([3]);
  expect([...(await row.data())]).toEqual([6, 5, 4]);
});

it("tile, pad and broadcastTo are as stock", async () => {
  const tiled = shapes(1, 4, { least: 0, most: 4 }).chain((shape) =>
    fc.tuple(
      fc.constant(shape),
      fc.array(fc.integer({ min: 1, max: 3 }), { minLength: shape.length, maxLength: shape.length }),
      fc.array(fc.tuple(fc.nat(2), fc.nat(2)), { minLength: shape.length, maxLength: shape.length }),
    ),
  );
  await check(tiled, async ([shape, reps, paddings]) => {
    await expectLikeStock(() => tf.tile(tensor(shape), reps));
    if (!shape.includes(0)) await expectLikeStock(() => tf.pad(tensor(shape), paddings, 1.5));
  });
  await expectLikeStock(() => tf.broadcastTo(tensor([3, 1, 4]), [2, 3, 5, 4]));
  await expectLikeStock(() =>
    tf.pad(
      tensor([2, 3], 1, "int32"),
      [
        [1, 0],
        [0, 2],
      ],
      7,
    ),
  );
});

it("tile and pad refuse counts below 0, which tfjs lets pass", () => {
  const x = tf.ones([4]);
  expect(() => tf.tile(x, [-1])).toThrowErrorMatchingInlineSnapshot(
    `[BasicError: Tile: the result would have the shape [-4], but sizes are integers from 0 on. Check the sizes that it was given. [E_SHAPE]]`,
  );
  expect(() => tf.pad(x, [[-1, 3]])).toThrowErrorMatchingInlineSnapshot(
    `[BasicError: PadV2: paddings of [-1, 3] take elements away. Give counts from 0 on, or use tf.slice. [E_SHAPE]]`,
  );
});

it("reverse is as stock", async () => {
  const reversed = shapes(1, 4).chain((shape) =>
    fc.tuple(fc.constant(shape), fc.subarray([...shape.keys()])),
  );
  await check(reversed, ([shape, axes]) => expectLikeStock(() => tf.reverse(tensor(shape), axes)));
  await expectLikeStock(() => tf.reverse(tensor([3, 5]), [1, 0, 1]));
});

it("concat, stack, split and unstack are as stock along any axis", async () => {
  const joined = shapes(1, 4).chain((shape) => fc.tuple(fc.constant(shape), fc.nat(shape.length - 1)));
  await check(joined, async ([shape, axis]) => {
    const longer = shape.with(axis, (shape[axis] as number) + 2);
    await expectLikeStock(() => tf.concat([tensor(shape, 1), tensor(longer, 2), tensor(shape, 3)], axis));
    await expectLikeStock(() => tf.stack([tensor(shape, 1), tensor(shape, 2)], axis));
    await expectLikeStock(() => tf.split(tensor(longer), [2, shape[axis] as number], axis));
    await expectLikeStock(() => tf.unstack(tensor(shape), axis));
  });
  await expectLikeStock(() => tf.concat([tensor([0, 3]), tensor([2, 3]), tensor([0, 3])]));
  await expectLikeStock(() => tf.stack([tensor([4], 1, "int32"), tensor([4], 2, "int32")], -1));
});

it("rows that are multiples of 16 bytes are copied by 16 bytes", async () => {
  const dispatch = vi.spyOn(startedBackend(), "dispatch");
  const x = tf.ones([6, 8]);
  tf.slice(x, [2, 4], [3, 4]);
  tf.slice(x, [2, 1], [3, 4]);
  expect(dispatch.mock.calls.map(([{ name }]) => name)).toEqual(["copy strided int4", "copy strided int"]);
  dispatch.mockRestore();
});
