import * as tf from "@tensorflow/tfjs-core";
import fc from "fast-check";
import { describe, expect, it } from "vitest";

import { gradientError, madeUp } from "../../test/central-differences.js";
import { checkCases, useReferences } from "../../test/contract-checks.js";
import { rowGather, scatterAddRows } from "./row-gather.js";
import { runKernel } from "./run.js";

useReferences(rowGather, scatterAddRows);

const gather = (x: tf.Tensor, rows: Int32Array) => runKernel(rowGather, { x }, { rows })[0] as tf.Tensor;
const scatter = (dy: tf.Tensor, rows: Int32Array, height: number) =>
  runKernel(scatterAddRows, { dy }, { rows, height })[0] as tf.Tensor;

describe("rowGather", () => {
  it("takes rows in the order asked for", () => {
    const x = tf.tensor2d([
      [1, 2],
      [3, 4],
      [5, 6],
    ]);
    expect(gather(x, Int32Array.of(2, 0, 2)).arraySync()).toEqual([
      [5, 6],
      [1, 2],
      [5, 6],
    ]);
  });

  it("has the gradient of every use of a row", () => {
    const rows = Int32Array.of(2, 0, 2);
    expect(gradientError((x) => gather(tf.square(x), rows), [{ shape: [4, 3] }])).toBeLessThan(1e-8);
  });

  it.each([
    [
      "a row too high",
      Int32Array.of(0, 3),
      "rowGather: `rows`[1] is 3, but `x` has 3 rows: use 0 to 2. [E_INDEX_RANGE]",
    ],
    [
      "a negative row",
      Int32Array.of(-1),
      "rowGather: `rows`[0] is -1, but `x` has 3 rows: use 0 to 2. [E_INDEX_RANGE]",
    ],
  ])("names %s", (_mistake, rows, text) => {
    expect(() => gather(tf.ones([3, 2]), rows)).toThrow(text);
  });

  it("takes no row of nothing", () => {
    expect(() => gather(tf.ones([0, 2]), Int32Array.of(0))).toThrowErrorMatchingInlineSnapshot(
      `[BasicError: rowGather: \`rows\`[0] is 0, but \`x\` has 0 rows: no index is valid. [E_INDEX_RANGE]]`,
    );
  });

  checkCases(rowGather);
});

describe("scatterAddRows", () => {
  it("adds rows that meet and skips negative ones", () => {
    const dy = tf.tensor2d([
      [1, 2],
      [3, 4],
      [5, 6],
    ]);
    expect(scatter(dy, Int32Array.of(1, 1, -1), 3).arraySync()).toEqual([
      [0, 0],
      [4, 6],
      [0, 0],
    ]);
  });

  it("is the transpose of rowGather, for any rows", () => {
    const rowsOf = fc.integer({ min: 1, max: 6 }).chain((height) =>
      fc.record({
        height: fc.constant(height),
        rows: fc.array(fc.integer({ min: 0, max: height - 1 }), { maxLength: 8 }),
      }),
    );
    fc.assert(
      fc.property(rowsOf, ({ height, rows }) => {
        const index = Int32Array.from(rows);
        const x = tf.tensor2d(madeUp(height * 3, 1), [height, 3]);
        const dy = tf.tensor2d(madeUp(index.length * 3, 2), [index.length, 3]);
        const left = tf.sum(tf.mul(gather(x, index), dy)).dataSync()[0] as number;
        const right = tf.sum(tf.mul(x, scatter(dy, index, height))).dataSync()[0] as number;
        expect(left).toBeCloseTo(right, 5);
      }),
      { seed: 1, numRuns: 50 },
    );
  });

  it("names a row beyond the output", () => {
    expect(() => scatter(tf.ones([1, 2]), Int32Array.of(5), 5)).toThrowErrorMatchingInlineSnapshot(
      `[BasicError: scatterAddRows: \`rows\`[0] is 5, but the output has 5 rows: use 0 to 4. [E_INDEX_RANGE]]`,
    );
  });

  it("wants one index a row", () => {
    expect(() => scatter(tf.ones([1, 2]), Int32Array.of(0, 1), 5)).toThrowErrorMatchingInlineSnapshot(
      `[BasicError: scatterAddRows: dimension N is 1 in \`dy\` but 2 in \`rows\` [2]. [E_SHAPE]]`,
    );
  });

  checkCases(scatterAddRows);
});
