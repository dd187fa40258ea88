import * as tf from "@tensorflow/tfjs-core";
import fc from "fast-check";
import { describe, expect, it } from "vitest";

import { gradientError, madeUp } from "../../test/central-differences.js";
import { checkCases, useReferences } from "../../test/contract-checks.js";
import { embedding } from "./embedding.js";
import { scatterAddRows } from "./row-gather.js";
import { runKernel } from "./run.js";

useReferences(embedding, scatterAddRows);

const embed = (table: tf.Tensor, ids: Int32Array) => runKernel(embedding, { table }, { ids })[0] as tf.Tensor;

describe("embedding", () => {
  it("takes one row of the table a token", () => {
    const table = tf.tensor2d([
      [1, 2],
      [3, 4],
    ]);
    expect(embed(table, Int32Array.of(1, 0, 1)).arraySync()).toEqual([
      [3, 4],
      [1, 2],
      [3, 4],
    ]);
  });

  it("equals a product with one-hot rows, for any ids", () => {
    fc.assert(
      fc.property(fc.array(fc.integer({ min: 0, max: 6 }), { minLength: 1, maxLength: 9 }), (ids) => {
        const table = tf.tensor2d(madeUp(21), [7, 3]);
        const product = tf.matMul(tf.oneHot(tf.tensor1d(ids, "int32"), 7), table);
        expect(embed(table, Int32Array.from(ids)).arraySync()).toEqual(product.arraySync());
      }),
      { seed: 1, numRuns: 50 },
    );
  });

  it("adds the gradients of a token that occurs twice", () => {
    const ids = Int32Array.of(2, 0, 2);
    expect(gradientError((table) => embed(tf.square(table), ids), [{ shape: [4, 3] }])).toBeLessThan(1e-8);
  });

  it("names an id beyond the table", () => {
    expect(() => embed(tf.ones([41, 2]), Int32Array.of(3, 41))).toThrowErrorMatchingInlineSnapshot(
      `[BasicError: embedding: \`ids\`[1] is 41, but \`table\` has 41 rows: use 0 to 40. [E_INDEX_RANGE]]`,
    );
  });

  checkCases(embedding);
});
