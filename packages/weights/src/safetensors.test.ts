import { describe, expect, it } from "vitest";

import { Safetensors } from "./safetensors.js";
import { encodeSafetensors, safetensorsPieces } from "./safetensors-write.js";

/** A file with this header object and this many data bytes. */
function fileWith(header: unknown, dataBytes: number): Uint8Array {
  const json = new TextEncoder().encode(typeof header === "string" ? header : JSON.stringify(header));
  const bytes = new Uint8Array(8 + json.length + dataBytes);
  new DataView(bytes.buffer).setBigUint64(0, BigInt(json.length), true);
  bytes.set(json, 8);
  return bytes;
}

const bytesOf = ({ buffer, byteOffset, byteLength }: Float32Array) =>
  new Uint8Array(buffer, byteOffset, byteLength);

const f32 = (shape: readonly number[], begin: number, end: number) => ({
  dtype: "F32",
  shape,
  data_offsets: [begin, end],
});

describe("Safetensors", () => {
  it("reads back what was written, in every float type", () => {
    const values = Float32Array.of(0, -0, 1, -2.5, 65_504, 2 ** -14);
    for (const dtype of ["F32", "F16", "BF16"] as const) {
      const exact = dtype === "BF16" ? values.map((value) => (value === 65_504 ? 65_536 : value)) : values;
      const file = new Safetensors(encodeSafetensors([{ name: "w", shape: [2, 3], values }], { dtype }));
      expect(file.entry("w")).toMatchObject({ dtype, shape: [2, 3] });
      expect(file.floats("w")).toEqual(exact);
    }
  });

  it("rounds to nearest even and keeps NaN and infinities", () => {
    const values = Float32Array.of(1 + 2 ** -8, 1 + 3 * 2 ** -8, Number.NaN, -Infinity);
    const file = new Safetensors(encodeSafetensors([{ name: "w", shape: [4], values }], { dtype: "BF16" }));
    expect(file.floats("w")).toEqual(Float32Array.of(1, 1 + 2 ** -6, Number.NaN, -Infinity));
  });

  it("reads integers of 8, 32 and 64 bits", () => {
    const bytes = fileWith(
      {
        a: { dtype: "I64", shape: [2], data_offsets: [0, 16] },
        b: { dtype: "U8", shape: [3], data_offsets: [16, 19] },
      },
      19,
    );
    const view = new DataView(bytes.buffer);
    const start = bytes.length - 19;
    view.setBigInt64(start, -7n, true);
    view.setBigInt64(start + 8, 2n ** 40n, true);
    bytes.set([1, 2, 255], start + 16);
    const file = new Safetensors(bytes);
    expect([...file.integers("b")]).toEqual([1, 2, 255]);
    expect(() => file.integers("a")).toThrowErrorMatchingInlineSnapshot(
      `[BasicError: buffer: tensor "a" holds 1099511627776, which does not fit into 32 bits. Is the file damaged? [E_WEIGHTS_FORMAT]]`,
    );
    view.setBigInt64(start + 8, 5n, true);
    expect([...file.integers("a")]).toEqual([-7, 5]);
  });

  it("reads a tensor of no values and a scalar", () => {
    const tensors = [
      { name: "empty", shape: [0, 4], values: new Float32Array(0) },
      { name: "scalar", shape: [], values: Float32Array.of(3) },
    ];
    const file = new Safetensors(encodeSafetensors(tensors));
    expect(file.names).toEqual(["empty", "scalar"]);
    expect([file.floats("empty").length, file.floats("scalar")[0]]).toEqual([0, 3]);
  });

  it("decodes large tensors piece by piece, and parts of them into memory that is there", () => {
    const values = Float32Array.from({ length: 700_001 }, (_, i) => (i % 251) - 125);
    for (const dtype of ["F32", "F16", "BF16"] as const) {
      const file = new Safetensors(encodeSafetensors([{ name: "w", shape: [700_001], values }], { dtype }));
      const part = new Float32Array(600_001);
      file.readFloats("w", 99_999, part);
      const same = (a: Float32Array, b: Float32Array) => Buffer.compare(bytesOf(a), bytesOf(b)) === 0;
      expect(same(file.floats("w"), values)).toBe(true);
      expect(same(part, values.subarray(99_999, 700_000))).toBe(true);
    }
  });

  it("keeps the writer's metadata", () => {
    const file = new Safetensors(encodeSafetensors([], { metadata: { step: "7" } }));
    expect(file.metadata).toEqual({ step: "7" });
  });

  it("names what it does not hold, and types that it cannot decode", () => {
    const file = new Safetensors(fileWith({ w: { dtype: "U64", shape: [1], data_offsets: [0, 8] } }, 8));
    expect(() => file.floats("v")).toThrowErrorMatchingInlineSnapshot(
      `[BasicError: buffer holds no tensor "v". [E_WEIGHTS_MISSING]]`,
    );
    expect(() => file.floats("w")).toThrowErrorMatchingInlineSnapshot(
      `[BasicError: buffer: tensor "w" has type U64, expected F32, F16, BF16 or F64. Convert the file to one of them. [E_WEIGHTS_FORMAT]]`,
    );
    expect(() => file.integers("w")).toThrowErrorMatchingInlineSnapshot(
      `[BasicError: buffer: tensor "w" has type U64, expected I32, I64 or U8. Convert the file to one of them. [E_WEIGHTS_FORMAT]]`,
    );
  });
});

describe("a damaged file", () => {
  it.each([
    ["is empty", new Uint8Array(0)],
    ["has a header longer than itself", fileWith({}, 0).subarray(0, 9)],
    ["has an absurd header length", Uint8Array.of(0, 0, 0, 0, 0, 0, 0, 1, 123, 125)],
    ["has a header that is no JSON", fileWith("{nope", 0)],
    ["has a header that is a list", fileWith([], 0)],
    ["has an unknown type", fileWith({ w: { dtype: "F33", shape: [1], data_offsets: [0, 4] } }, 4)],
    ["has no shape", fileWith({ w: { dtype: "F32", data_offsets: [0, 4] } }, 4)],
    ["has a negative dimension", fileWith({ w: f32([-1], 0, 4) }, 4)],
    ["has a shape that does not fit its bytes", fileWith({ w: f32([2, 2], 0, 4) }, 4)],
    ["has a shape beyond all bounds", fileWith({ w: f32([2 ** 40, 2 ** 40], 0, 4) }, 4)],
    ["has tensors that overlap", fileWith({ a: f32([2], 0, 8), b: f32([2], 4, 12) }, 12)],
    ["has a hole", fileWith({ a: f32([1], 0, 4), b: f32([1], 8, 12) }, 12)],
    ["is cut off", fileWith({ a: f32([4], 0, 16) }, 12)],
    ["goes on after the last tensor", fileWith({ a: f32([1], 0, 4) }, 6)],
  ])("is refused when it %s", (_, bytes) => {
    expect(() => new Safetensors(bytes)).toThrowErrorMatchingSnapshot();
  });

  it("is always refused with E_WEIGHTS_FORMAT, wherever it is cut", () => {
    const whole = encodeSafetensors([
      { name: "a", shape: [2, 2], values: Float32Array.of(1, 2, 3, 4) },
      { name: "b", shape: [1], values: Float32Array.of(5) },
    ]);
    for (let length = 0; length < whole.length; length++) {
      expect(() => new Safetensors(whole.subarray(0, length))).toThrowError(/\[E_WEIGHTS_FORMAT\]$/);
    }
  });
});

describe("encodeSafetensors", () => {
  it("starts tensors at a multiple of 8 bytes", () => {
    const bytes = encodeSafetensors([{ name: "odd", shape: [1], values: Float32Array.of(1) }]);
    expect((bytes.length - 4) % 8).toBe(0);
  });

  it("refuses values that do not fill their shape, and two tensors of one name", () => {
    const w = { name: "w", shape: [2], values: Float32Array.of(1) };
    expect(() => encodeSafetensors([w])).toThrowErrorMatchingInlineSnapshot(
      `[BasicError: safetensors: tensor "w" of shape [2] needs 2 values, got 1. Correct its shape. [E_SHAPE]]`,
    );
    const twice = { ...w, shape: [1] };
    expect(() => encodeSafetensors([twice, twice])).toThrowErrorMatchingInlineSnapshot(
      `[BasicError: safetensors: the name "w" is taken by another tensor. Give each tensor a name of its own. [E_NAME_DUPLICATE]]`,
    );
  });

  it("asks lazy tensors for their values when their turn comes, and writes the same bytes", async () => {
    const eager = ["a", "b"].map((name, i) => ({ name, shape: [2], values: Float32Array.of(i, 0.1) }));
    const asked: string[] = [];
    const lazy = eager.map(({ name, shape, values }) => ({
      name,
      shape,
      values: async () => {
        asked.push(name);
        return values;
      },
    }));
    for (const dtype of ["F32", "BF16", "F16"] as const) {
      asked.length = 0;
      const pieces: Uint8Array[] = [];
      for await (const piece of safetensorsPieces(lazy, { dtype })) {
        pieces.push(piece);
        expect(asked).toHaveLength(pieces.length - 1);
      }
      expect(new Uint8Array(pieces.flatMap((piece) => [...piece]))).toEqual(
        encodeSafetensors(eager, { dtype }),
      );
    }
  });
});
