import { rotary, runKernel } from "@basic-mllm/core";
import * as tf from "@tensorflow/tfjs-core";
import fc from "fast-check";
import { beforeAll, expect, it } from "vitest";

import { start } from "../../index.js";

beforeAll(() => start({ image: "ptx" }));

/** Cosines and sines that the kernel makes. */
async function turned(positions: Int32Array, frequencies: Float32Array) {
  const half = frequencies.length;
  const row = [...new Array<number>(half).fill(1), ...new Array<number>(half).fill(0)];
  const x = tf.tensor2d(
    Array.from(positions).flatMap(() => row),
    [positions.length, 2 * half],
  );
  const attrs = { heads: 1, rotaryWidth: 2 * half, positions, frequencies, scale: 1, inverse: false };
  const [y] = runKernel(rotary, { x }, attrs);
  const values = await (y as tf.Tensor).data();
  tf.dispose([x, y as tf.Tensor]);
  return values;
}

it("makes angles that are those of double precision at any position, also a negative one", async () => {
  await fc.assert(
    fc.asyncProperty(
      fc.array(fc.integer({ min: -(2 ** 24), max: 2 ** 24 }), { minLength: 1, maxLength: 9 }),
      fc.array(fc.float({ min: 0, max: 2, noNaN: true }), { minLength: 1, maxLength: 8 }),
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
