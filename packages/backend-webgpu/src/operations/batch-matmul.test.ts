import * as tf from "@tensorflow/tfjs-core";
import { beforeAll, expect, it } from "vitest";

import { start, startedBackend } from "../index.js";

beforeAll(() => start());

const A = [1, 2, 3, 4, 5, 6];
const B = [1, 0, 2, -1, 3, 1];

it.each([
  { title: "A B", a: [2, 3], b: [3, 2], tA: false, tB: false, y: [14, 1, 32, 1] },
  { title: "A Bᵀ", a: [2, 3], b: [2, 3], tA: false, tB: true, y: [7, 8, 16, 17] },
  { title: "Aᵀ B", a: [3, 2], b: [3, 2], tA: true, tB: false, y: [22, 2, 28, 2] },
  { title: "Aᵀ Bᵀ, of tfjs", a: [3, 2], b: [2, 3], tA: true, tB: true, y: [11, 13, 14, 16] },
  { title: "A B of rank 3", a: [1, 2, 3], b: [1, 3, 2], tA: false, tB: false, y: [14, 1, 32, 1] },
])("multiplies $title", async ({ a, b, tA, tB, y }) => {
  const result = tf.matMul(tf.tensor(A, a), tf.tensor(B, b), tA, tB);
  expect(result.shape).toEqual([...a.slice(0, -2), 2, 2]);
  expect(Array.from(await result.data())).toEqual(y);
});

it("leaves batches to tfjs", async () => {
  const result = tf.matMul(tf.tensor([1, 2, 3, 4], [2, 1, 2]), tf.tensor([1, 1, 2, 2], [2, 2, 1]));
  expect(Array.from(await result.data())).toEqual([3, 14]);
});

it("takes one dispatch of the tiled kernel", () => {
  const [a, b] = [tf.ones([40, 8]), tf.ones([8, 24])];
  const backend = startedBackend();
  const before = backend.dispatches;
  tf.matMul(a, b).dispose();
  expect(backend.dispatches - before).toBe(1);
});
