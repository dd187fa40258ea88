import { floatToHalf, halfValues, packBf16 } from "@basic-mllm/core";
import fc from "fast-check";
import { expect, it } from "vitest";

import { decodeFloats, encodeFloats } from "./dtypes.js";

const halvesOf = (values: Float32Array, dtype: "F16" | "BF16") =>
  new Uint16Array(encodeFloats(values, dtype).slice().buffer);

it("rounds every float32 to half precision and bfloat16 as core does", () => {
  const edges = [
    0,
    -0,
    65_519,
    65_520,
    -65_520,
    2 ** -14,
    2 ** -24,
    2 ** -25,
    3 * 2 ** -26,
    2 ** -26,
    Infinity,
  ];
  const bits = fc.integer({ min: 0, max: 2 ** 32 - 1 });
  fc.assert(
    fc.property(fc.array(bits, { minLength: 8, maxLength: 8 }), (list) => {
      const values = Float32Array.from([
        ...new Float32Array(Uint32Array.from(list).buffer),
        ...edges,
        Number.NaN,
      ]);
      expect([...halvesOf(values, "F16")]).toEqual([...values].map(floatToHalf));
      const packed = new Uint16Array(packBf16(values).buffer).slice(0, values.length);
      expect([...halvesOf(values, "BF16")]).toEqual([...packed]);
    }),
    { seed: 5, numRuns: 2000 },
  );
});

it("rounds halfway between two halves to the even one, and reads every half back", () => {
  const all = halfValues().filter((value) => Number.isFinite(value));
  const bits = halvesOf(all, "F16");
  expect(decodeFloats(new Uint8Array(bits.buffer), "F16", "")).toEqual(all);
  const between = all.map((value, i) => (value + (all[i + 1] ?? value)) / 2);
  expect([...halvesOf(between, "F16")].every((half, i) => half === floatToHalf(between[i] as number))).toBe(
    true,
  );
});
