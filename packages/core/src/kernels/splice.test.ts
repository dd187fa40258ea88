import * as tf from "@tensorflow/tfjs-core";
import fc from "fast-check";
import { describe, expect, it } from "vitest";

import { gradientError, madeUp } from "../../test/central-differences.js";
import { checkCases, useReferences } from "../../test/contract-checks.js";
import { scatterAddRows } from "./row-gather.js";
import { runKernel } from "./run.js";
import { splice } from "./splice.js";

useReferences(splice, scatterAddRows);

const spliced = (table: tf.Tensor, visual: tf.Tensor, ids: Int32Array) =>
  runKernel(splice, { table, visual }, { ids })[0] as tf.Tensor;

describe("splice", () => {
  it("puts visual rows between tokens", () => {
    const table = tf.tensor2d([
      [1, 1],
      [2, 2],
    ]);
    const visual = tf.tensor2d([
      [7, 7],
      [8, 8],
    ]);
    expect(spliced(table, visual, Int32Array.of(1, -1, -2, 0)).arraySync()).toEqual([
      [2, 2],
      [7, 7],
      [8, 8],
      [1, 1],
    ]);
  });

  it("takes row by row from the right source, for any ids", () => {
    fc.assert(
      fc.property(fc.array(fc.integer({ min: -4, max: 5 }), { maxLength: 10 }), (ids) => {
        const table = tf.tensor2d(madeUp(18, 1), [6, 3]);
        const visual = tf.tensor2d(madeUp(12, 2), [4, 3]);
        const [words, images] = [table.arraySync(), visual.arraySync()];
        const expected = ids.map((id) => (id >= 0 ? words[id] : images[-1 - id]));
        expect(spliced(table, visual, Int32Array.from(ids)).arraySync()).toEqual(expected);
      }),
      { seed: 1, numRuns: 50 },
    );
  });

  it.each([
    ["both", Int32Array.of(1, -1, -3, 1, -3)],
    ["the table alone", Int32Array.of(1, 0, 1)],
    ["the visual rows alone", Int32Array.of(-2, -1)],
  ])("sends each row's gradient back to its source, with %s in use", (_which, ids) => {
    const f = (table: tf.Tensor, visual: tf.Tensor) => spliced(tf.square(table), tf.square(visual), ids);
    expect(gradientError(f, [{ shape: [4, 2] }, { shape: [3, 2] }])).toBeLessThan(1e-8);
  });

  it("gives no gradient to the table when only the visual rows train", () => {
    const f = (visual: tf.Tensor) => spliced(tf.ones([4, 2]), visual, Int32Array.of(0, -1));
    expect(gradientError(f, [{ shape: [1, 2] }])).toBeLessThan(1e-8);
  });

  it.each([
    [
      "a token beyond the table",
      Int32Array.of(0, 4),
      "splice: `ids`[1] is 4, but `table` has 4 rows: use 0 to 3. [E_INDEX_RANGE]",
    ],
    [
      "a visual row that is not there",
      Int32Array.of(0, -1, -4),
      "splice: visual row of `ids`[2] is 3, but `visual` has 3 rows: use 0 to 2. [E_INDEX_RANGE]",
    ],
  ])("names %s", (_mistake, ids, text) => {
    expect(() => spliced(tf.ones([4, 2]), tf.ones([3, 2]), ids)).toThrow(text);
  });

  it("refuses visual rows of another width", () => {
    expect(() =>
      spliced(tf.ones([4, 2]), tf.ones([3, 5]), Int32Array.of(0)),
    ).toThrowErrorMatchingInlineSnapshot(
      `[BasicError: splice: dimension D is 2 in \`table\` but 5 in \`visual\` [3, 5]. [E_SHAPE]]`,
    );
  });

  checkCases(splice);
});
