import * as tf from "@tensorflow/tfjs-core";
import fc from "fast-check";
import { beforeAll, expect, it } from "vitest";

import { TEST_DEVICE } from "../../test/device.js";
import { check, expectLikeStock, tensor } from "../../test/stock.js";
import { start } from "../index.js";

beforeAll(() => start(TEST_DEVICE));

const close = { absolute: 1e-4, relative: 1e-5 };

it("matMul is as stock for all transposes and batches", async () => {
  const size = fc.integer({ min: 1, max: 12 });
  const cases = fc.record({
    batch: fc.constantFrom([], [1], [3], [2, 3]),
    sizes: fc.tuple(size, size, size),
    transposeA: fc.boolean(),
    transposeB: fc.boolean(),
  });
  await check(cases, ({ batch, sizes: [m, k, n], transposeA, transposeB }) => {
    const a = [...batch, ...(transposeA ? [k, m] : [m, k])];
    const b = [...batch, ...(transposeB ? [n, k] : [k, n])];
    return expectLikeStock(() => tf.matMul(tensor(a, 1), tensor(b, 2), transposeA, transposeB), close);
  });
});

it("one matrix multiplies a batch, on either side and transposed or not", async () => {
  for (const transposed of [false, true]) {
    const b = transposed ? [7, 6] : [6, 7];
    await expectLikeStock(
      () => tf.matMul(tensor([4, 5, 6], 1), tensor([1, ...b], 2), false, transposed),
      close,
    );
    await expectLikeStock(() => tf.matMul(tensor([4, 5, 6], 1), tensor(b, 2), false, transposed), close);
    await expectLikeStock(
      () => tf.matMul(tensor([1, 5, 6], 1), tensor([4, ...b], 2), false, transposed),
      close,
    );
    await expectLikeStock(
      () => tf.matMul(tensor([1, 6, 5], 1), tensor([4, ...b], 2), true, transposed),
      close,
    );
  }
});

it("no rows, and no depth, are as stock", async () => {
  const none = (...shape: number[]) => tf.tensor([], shape, "float32");
  await expectLikeStock(() => tf.matMul(none(0, 3), tensor([3, 4])));
  await expectLikeStock(() => tf.matMul(none(0, 3), tensor([0, 4]), true));
});

it("names what does not fit", () => {
  expect(() => tf.matMul(tensor([2, 3]), tensor([2, 3]))).toThrowErrorMatchingInlineSnapshot(
    `[BasicError: BatchMatMul: [2, 3] by [2, 3]: the left one has 3 columns, the right one 2 rows. [E_SHAPE]]`,
  );
  expect(() => tf.matMul(tensor([3]), tensor([1, 3]))).toThrowErrorMatchingInlineSnapshot(
    `[BasicError: BatchMatMul: [3] is no matrix. Reshape a vector to one row or one column. [E_SHAPE]]`,
  );
  expect(() =>
    tf.matMul(tensor([2, 2], 1, "int32"), tensor([2, 2], 1, "int32")),
  ).toThrowErrorMatchingInlineSnapshot(
    `[BasicError: BatchMatMul on the backend "basiccuda" does not take int32 by int32. Cast both to float32. [E_KERNEL_MISSING]]`,
  );
});
