import { readFileSync } from "node:fs";

import { packQ4_0, packQ4_1, packQ8_0 } from "@basic-mllm/core";
import fc from "fast-check";
import { describe, expect, it } from "vitest";

import { dequantise, wordsOfBytes } from "./dequantise.js";
import { blockLayouts, byteLength, type GgufType, ggufTypes } from "./tensor-types.js";

interface Fixture {
  readonly type: GgufType;
  readonly bytes: string;
  readonly float32: string;
}

const { cases } = JSON.parse(
  readFileSync(new URL("./__golden__/dequantised.json", import.meta.url), "utf8"),
) as { cases: Fixture[] };

const fromHex = (hex: string): Uint8Array => Uint8Array.from(Buffer.from(hex, "hex"));

function countOf(type: GgufType, bytes: Uint8Array): number {
  return (bytes.length / blockLayouts[type].bytes) * blockLayouts[type].values;
}

describe("dequantise", () => {
  it("has a fixture for every type", () => {
    expect(cases.map(({ type }) => type).sort()).toEqual([...ggufTypes].sort());
  });

  it.each(cases)("gives the bits of the Python package gguf for $type", ({ type, bytes, float32 }) => {
    const data = fromHex(bytes);
    const values = dequantise(data, type, countOf(type, data), "test");
    expect(Buffer.from(values.buffer).toString("hex")).toBe(float32);
  });

  it("does not depend on where the bytes lie in their buffer", () => {
    for (const { type, bytes } of cases) {
      const data = fromHex(bytes);
      const moved = new Uint8Array(data.length + 3);
      moved.set(data, 3);
      const count = countOf(type, data);
      expect(dequantise(moved.subarray(3), type, count, "test")).toEqual(
        dequantise(data, type, count, "test"),
      );
    }
  });

  it("gives each block the same values wherever it stands", () => {
    const types = ggufTypes.filter((type) => blockLayouts[type].values > 1);
    const blocks = fc.constantFrom(...types).chain((type) => {
      const length = blockLayouts[type].bytes;
      const block = fc.uint8Array({ minLength: length, maxLength: length });
      return block.chain((first) => block.map((second) => ({ type, first, second })));
    });
    fc.assert(
      fc.property(blocks, ({ type, first, second }) => {
        const { values } = blockLayouts[type];
        const both = dequantise(Uint8Array.of(...first, ...second), type, 2 * values, "test");
        expect(both.slice(0, values)).toEqual(dequantise(first, type, values, "test"));
        expect(both.slice(values)).toEqual(dequantise(second, type, values, "test"));
      }),
    );
  });

  it("comes back near to what core has packed", () => {
    const packers = {
      Q8_0: [packQ8_0, 1 / 127],
      Q4_0: [packQ4_0, 1 / 4],
      Q4_1: [packQ4_1, 1 / 7.5],
    } as const;
    fc.assert(
      fc.property(
        fc.constantFrom("Q8_0", "Q4_0", "Q4_1"),
        fc.double({ min: 0.01, max: 100, noNaN: true }),
        (type, scale) => {
          const [pack, step] = packers[type];
          const values = Float32Array.from({ length: 64 }, (_, i) => scale * Math.sin(i * i));
          const words = pack(values);
          const bytes = new Uint8Array(words.buffer, 0, byteLength(type, 64));
          for (const [i, value] of dequantise(bytes, type, 64, "test").entries()) {
            expect(Math.abs(value - (values[i] as number))).toBeLessThanOrEqual(scale * step);
          }
        },
      ),
    );
  });

  it("refuses bytes that are not those of so many values", () => {
    expect(() =>
      dequantise(new Uint8Array(33), "Q8_0", 32, 'x.gguf: tensor "a"'),
    ).toThrowErrorMatchingInlineSnapshot(
      `[BasicError: x.gguf: tensor "a": 32 values of type Q8_0 (blocks of 32) need 34 bytes, got 33. Is the file damaged? [E_WEIGHTS_FORMAT]]`,
    );
    expect(() => dequantise(new Uint8Array(34), "Q8_0", 31, "test")).toThrow("E_WEIGHTS_FORMAT");
  });
});

it("wordsOfBytes pads with zeros", () => {
  expect([...wordsOfBytes(Uint8Array.of(1, 0, 0, 0, 255))]).toEqual([1, 255]);
});
