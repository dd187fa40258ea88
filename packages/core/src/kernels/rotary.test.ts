import * as tf from "@tensorflow/tfjs-core";
import fc from "fast-check";
import { describe, expect, it } from "vitest";

import { gradientError, madeUp } from "../../test/central-differences.js";
import { checkCases, useReferences } from "../../test/contract-checks.js";
import { type RotaryAttrs, rotary, rotaryTable } from "./rotary.js";
import { runKernel } from "./run.js";

useReferences(rotary);

const small: RotaryAttrs = {
  heads: 2,
  rotaryWidth: 2,
  positions: Int32Array.of(0, 3),
  frequencies: Float32Array.of(0.5),
  scale: 1,
  inverse: false,
};

function turn(x: tf.Tensor, attrs: RotaryAttrs): tf.Tensor {
  return runKernel(rotary, { x }, attrs)[0] as tf.Tensor;
}

/** Any layout of heads with made-up values. */
const layouts = fc
  .record({
    rows: fc.integer({ min: 1, max: 5 }),
    heads: fc.integer({ min: 1, max: 3 }),
    half: fc.integer({ min: 1, max: 4 }),
    rest: fc.integer({ min: 0, max: 3 }),
  })
  .map(({ rows, heads, half, rest }) => ({
    x: tf.tensor2d(madeUp(rows * heads * (2 * half + rest)), [rows, heads * (2 * half + rest)]),
    attrs: {
      heads,
      rotaryWidth: 2 * half,
      positions: Int32Array.from({ length: rows }, (_, row) => row * 17),
      frequencies: Float32Array.from({ length: half }, (_, j) => 10 ** -j),
      scale: 1,
      inverse: false,
    },
  }));

describe("rotary", () => {
  it("leaves position 0 alone and turns each head's pair by position times frequency", () => {
    const x = tf.tensor2d([
      [1, 2, 3, 9, 9, 9],
      [1, 0, 7, 0, 1, 8],
    ]);
    const [first, second] = turn(x, small).arraySync() as number[][];
    const [cos, sin] = [Math.cos(1.5), Math.sin(1.5)];
    expect(first).toEqual([1, 2, 3, 9, 9, 9]);
    expect(second).toEqual([cos, sin, 7, -sin, cos, 8].map((value) => expect.closeTo(value, 6)));
  });

  it("pairs column j with column j + rotaryWidth / 2", () => {
    const attrs = { ...small, heads: 1, rotaryWidth: 4, positions: Int32Array.of(1) };
    const y = turn(tf.tensor2d([[1, 0, 0, 0]]), { ...attrs, frequencies: Float32Array.of(Math.PI / 2, 0) });
    expect(Array.from(y.dataSync())).toEqual([0, 0, 1, 0].map((value) => expect.closeTo(value, 6)));
  });

  it("scales the turned columns only", () => {
    const y = turn(tf.tensor2d([[1, 2, 3, 4, 5, 6]]), { ...small, positions: Int32Array.of(0), scale: 2 });
    expect(y.arraySync()).toEqual([[2, 4, 3, 8, 10, 6]]);
  });

  it("keeps the length of every row and comes back with the inverse, for any layout", () => {
    fc.assert(
      fc.property(layouts, ({ x, attrs }) => {
        const y = turn(x, attrs);
        const lengths = tf.sub(tf.norm(y, 2, 1), tf.norm(x, 2, 1)).dataSync();
        const back = tf.sub(turn(y, { ...attrs, inverse: true }), x).dataSync();
        expect(Math.max(0, ...lengths.map(Math.abs), ...back.map(Math.abs))).toBeLessThan(1e-6);
      }),
      { seed: 1, numRuns: 50 },
    );
  });

  it("gives the same scores for the same distance, wherever the rows stand", () => {
    const score = (q: number, k: number) => {
      const attrs = { ...small, heads: 1, positions: Int32Array.of(q, k) };
      const [a, b] = tf.split(
        turn(
          tf.tensor2d([
            [0.3, -0.8],
            [0.5, 0.9],
          ]),
          attrs,
        ),
        2,
      );
      return tf.sum(tf.mul(a as tf.Tensor, b as tf.Tensor)).dataSync()[0];
    };
    expect(score(5, 2)).toBeCloseTo(score(1005, 1002) as number, 5);
  });

  it.each([false, true])("has the transposed turn for a gradient, inverse: %s", (inverse) => {
    const attrs = { ...small, scale: 1.3, inverse };
    expect(gradientError((x) => turn(tf.square(x), attrs), [{ shape: [2, 6] }])).toBeLessThan(1e-8);
  });

  it("computes angles in double precision, far along the sample", () => {
    const { cos } = rotaryTable({
      ...small,
      positions: Int32Array.of(131_071),
      frequencies: Float32Array.of(1),
    });
    expect(cos[0]).toBe(Math.fround(Math.cos(131_071)));
  });

  it.each([
    [
      "heads",
      tf.ones([2, 5]),
      small,
      "rotary: `x` [2, 5] does not divide into 2 heads. Give a width that is a multiple of `heads`. [E_SHAPE]",
    ],
    [
      "an odd width",
      tf.ones([2, 6]),
      { ...small, rotaryWidth: 3 },
      "rotary: `rotaryWidth` must be even and from 2 to the head width 3, got 3. [E_SHAPE]",
    ],
    [
      "a width beyond the head",
      tf.ones([2, 6]),
      { ...small, rotaryWidth: 4 },
      "rotary: `rotaryWidth` must be even and from 2 to the head width 3, got 4. [E_SHAPE]",
    ],
    [
      "too few frequencies",
      tf.ones([2, 6]),
      { ...small, frequencies: new Float32Array(0) },
      "rotary: `frequencies` must hold rotaryWidth / 2 = 1 values, got 0. [E_SHAPE]",
    ],
    [
      "positions",
      tf.ones([3, 6]),
      small,
      "rotary: dimension R is 3 in `x` but 2 in `positions` [2]. [E_SHAPE]",
    ],
  ])("explains a mistake in %s", (_mistake, x, attrs, text) => {
    expect(() => turn(x, attrs)).toThrow(text);
  });

  checkCases(rotary);
});
