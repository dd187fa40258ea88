import * as tf from "@tensorflow/tfjs-core";
import { expect, it } from "vitest";

import { start, startedBackend } from "../../index.js";
import { multiply, type Product } from "./matmul.js";

const [rows, columns] = [2, 3];

async function overNothing(product: Product, bias: readonly number[] | null): Promise<readonly number[]> {
  await start({ image: "ptx" });
  const result = tf.tensor2d([1, 2, 3, 4, 5, 6], [rows, columns]);
  const added = bias === null ? null : tf.tensor1d([...bias]);
  const empty = tf.zeros([0]);
  const operands = { left: empty, weight: empty, bias: added, result, rows, columns, depth: 0 };
  multiply(startedBackend(), product, operands);
  const values = [...(await result.data())];
  tf.dispose([result, empty, ...(added === null ? [] : [added])]);
  return values;
}

it.each(["nt", "nn", "tn"] as const)(
  "adds bias to the empty sums of a product over nothing, laid out %s",
  async (layout) => {
    expect(await overNothing({ layout }, [7, 8, 9])).toEqual([7, 8, 9, 7, 8, 9]);
    expect(await overNothing({ layout, accumulate: true }, [7, 8, 9])).toEqual([8, 10, 12, 11, 13, 15]);
    expect(await overNothing({ layout }, null)).toEqual([0, 0, 0, 0, 0, 0]);
    expect(await overNothing({ layout, accumulate: true }, null)).toEqual([1, 2, 3, 4, 5, 6]);
  },
);

it("activates what a product over nothing gives", async () => {
  const [low, zero, high] = await overNothing({ layout: "nt", epilogue: "gelu-tanh" }, [-1, 0, 2]);
  expect([low, zero, high]).toEqual([expect.closeTo(-0.1588, 3), 0, expect.closeTo(1.9546, 3)]);
});
