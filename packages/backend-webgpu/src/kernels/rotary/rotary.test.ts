import { rotary, runKernel } from "@basic-mllm/core";
import * as tf from "@tensorflow/tfjs-core";
import fc from "fast-check";
import { afterAll, beforeAll, describe, expect, it } from "vitest";

import { start, stop } from "../../index.js";

beforeAll(() => start());
afterAll(() => stop());

/** Cosines and sines that the shader makes. */
async function turned(positions: Int32Array, frequencies: Float32Array) {
  const half = frequencies.length;
  const x = tf.tensor(
    positions.length * half === 0
      ? []
      : Array.from(positions).flatMap(() => [...new Array(half).fill(1), ...new Array(half).fill(0)]),
    [positions.length, 2 * half],
  );
  const attrs = { heads: 1, rotaryWidth: 2 * half, positions, frequencies, scale: 1, inverse: false };
  const [y] = runKernel(rotary, { x }, attrs);
  const values = await (y as tf.Tensor).data();
  tf.dispose([x, y as tf.Tensor]);
  return values;
}

describe("angles made in the shader", () => {
  it("are those of double precision at any position, also a negative one", async () => {
    await fc.assert(
      fc.asyncProperty(
        fc.array(fc.integer({ min: -(2 ** 24), max: 2 ** 24 }), { minLength: 1, maxLength: 9 }),
        fc.array(fc.float({ min: 0, max: 2, noNaN: true }), { minLength: 1, maxLength: 5 }),
        async (positions, rates) => {
          const frequencies = Float32Array.from(rates);
          const values = await turned(Int32Array.from(positions), frequencies);
          const expected = positions.flatMap((position) => [
            ...Array.from(frequencies, (frequency) => Math.cos(position * frequency)),
            ...Array.from(frequencies, (frequency) => Math.sin(position * frequency)),
          ]);
          const worst = expected.reduce(
            (most, value, i) => Math.max(most, Math.abs(value - (values[i] ?? Number.NaN))),
            0,
          );
          expect(worst).toBeLessThan(5e-7);
        },
      ),
      { numRuns: 40 },
    );
  });
});
