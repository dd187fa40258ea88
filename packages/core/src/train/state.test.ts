import { readFileSync } from "node:fs";

import { describe, expect, it } from "vitest";

import { decodeTensors, encodeTensors, tensorPieces } from "./state.js";

const file = {
  tensors: new Map([
    ["a", { shape: [2, 2], values: new Float32Array([1, -0, Number.NaN, 3e-45]) }],
    ["empty", { shape: [0], values: new Float32Array(0) }],
    ["scalar", { shape: [], values: new Float32Array([7]) }],
  ]),
  metadata: { step: "3" },
};

describe("encodeTensors", () => {
  it("keeps every bit, names, shapes and text", () => {
    const { tensors, metadata } = decodeTensors(encodeTensors(file), "test");
    expect([...tensors.keys()]).toEqual(["a", "empty", "scalar"]);
    expect(tensors.get("a")?.shape).toEqual([2, 2]);
    expect(new Uint8Array(tensors.get("a")?.values.buffer as ArrayBuffer)).toEqual(
      new Uint8Array(file.tensors.get("a")?.values.buffer as ArrayBuffer),
    );
    expect(metadata).toEqual({ step: "3" });
  });

  it("starts the data on a multiple of 8 bytes", () => {
    const length = new DataView(encodeTensors(file).buffer).getBigUint64(0, true);
    expect(Number(length) % 8).toBe(0);
  });
});

describe("tensorPieces", () => {
  const entries = [
    { name: "a", shape: [2, 2], dtype: "F32", values: async () => Float32Array.of(1, 2, 3, 4) },
    { name: "b", shape: [3], dtype: "I32", values: async () => Int32Array.of(-1, 0, 7) },
  ] as const;

  it("are the file that encodeTensors makes", async () => {
    const pieces: number[] = [];
    for await (const piece of tensorPieces(entries, { step: "3" })) pieces.push(...piece);
    const whole = encodeTensors({
      tensors: new Map([["a", { shape: [2, 2], values: Float32Array.of(1, 2, 3, 4) }]]),
      words: new Map([["b", Int32Array.of(-1, 0, 7)]]),
      metadata: { step: "3" },
    });
    expect(pieces).toEqual([...whole]);
  });

  it("hold as many small tensors as fit or a large one, and read one further at most", async () => {
    let reads = 0;
    const small = [2, 2, 2, 9, 1].map((length, i) => ({
      name: `t${i}`,
      shape: [length],
      dtype: "F32" as const,
      values: async () => {
        reads++;
        return new Float32Array(length);
      },
    }));
    const seen: [bytes: number, reads: number][] = [];
    for await (const { length } of tensorPieces(small, {}, 16)) seen.push([length, reads]);
    expect(seen.slice(1)).toEqual([
      [16, 3],
      [8, 4],
      [36, 4],
      [4, 5],
    ]);
  });

  it("names a tensor whose values do not fill it", async () => {
    const short = [{ ...entries[0], values: async () => Float32Array.of(1) }];
    const read = async () => {
      for await (const _ of tensorPieces(short, {}));
    };
    await expect(read()).rejects.toThrowErrorMatchingInlineSnapshot(
      `[BasicError: tensorPieces: the tensor "a" [2, 2] needs 4 values, got 1. Correct its shape. [E_SHAPE]]`,
    );
  });
});

describe("decodeTensors", () => {
  it("reads a file that another writer made", () => {
    const url = new URL("../../../../golden/ops/adamw.decay.safetensors", import.meta.url);
    const { tensors } = decodeTensors(readFileSync(url), "golden");
    expect(tensors.get("out.params")?.shape).toEqual([8, 5]);
  });

  it("names what is wrong with the header", () => {
    const withHeader = (header: unknown): Uint8Array => {
      const json = new TextEncoder().encode(JSON.stringify(header));
      const bytes = new Uint8Array(8 + json.length);
      new DataView(bytes.buffer).setBigUint64(0, BigInt(json.length), true);
      bytes.set(json, 8);
      return bytes;
    };
    expect(() => decodeTensors(withHeader(null), "state")).toThrowErrorMatchingInlineSnapshot(
      `[BasicError: state cannot be read: its header is not an object. Expected a whole safetensors file of float32 tensors: copy or download it again. [E_CHECKPOINT_CORRUPT]]`,
    );
    for (const entry of [null, {}, { dtype: "F32" }, { dtype: "F32", shape: ["2"], data_offsets: [0, 8] }]) {
      expect(() => decodeTensors(withHeader({ a: entry }), "state")).toThrow(/state: "a" cannot be read/);
    }
    expect(() =>
      decodeTensors(withHeader({ a: { dtype: "F32", shape: [2] } }), "state"),
    ).toThrowErrorMatchingInlineSnapshot(
      `[BasicError: state: "a" cannot be read: its entry in the header has no shape or offsets. Expected a whole safetensors file of float32 tensors: copy or download it again. [E_CHECKPOINT_CORRUPT]]`,
    );
  });

  it("names what is wrong with a damaged file", () => {
    const bytes = encodeTensors(file);
    expect(() => decodeTensors(bytes.subarray(0, 4), "state")).toThrowErrorMatchingInlineSnapshot(
      `[BasicError: state cannot be read: it ends after 4 bytes. Expected a whole safetensors file of float32 tensors: copy or download it again. [E_CHECKPOINT_CORRUPT]]`,
    );
    expect(() => decodeTensors(bytes.subarray(0, 50), "state")).toThrowErrorMatchingInlineSnapshot(
      `[BasicError: state cannot be read: it ends after 50 bytes. Expected a whole safetensors file of float32 tensors: copy or download it again. [E_CHECKPOINT_CORRUPT]]`,
    );
    expect(() =>
      decodeTensors(bytes.subarray(0, bytes.length - 5), "state"),
    ).toThrowErrorMatchingInlineSnapshot(
      `[BasicError: state: "a" cannot be read: shape [2, 2] does not fit bytes 0 to 16. Expected a whole safetensors file of float32 tensors: copy or download it again. [E_CHECKPOINT_CORRUPT]]`,
    );
    const broken = bytes.slice();
    broken[8] = 0;
    expect(() => decodeTensors(broken, "state")).toThrowErrorMatchingInlineSnapshot(
      `[BasicError: state cannot be read: its header is not JSON. Expected a whole safetensors file of float32 tensors: copy or download it again. [E_CHECKPOINT_CORRUPT]]`,
    );
    const text = new TextDecoder("latin1").decode(bytes).replace("F32", "F16");
    const half = Uint8Array.from(text, (letter) => letter.charCodeAt(0));
    expect(() => decodeTensors(half, "state")).toThrowErrorMatchingInlineSnapshot(
      `[BasicError: state: "a" cannot be read: its type is F16, expected F32. Expected a whole safetensors file of float32 tensors: copy or download it again. [E_CHECKPOINT_CORRUPT]]`,
    );
  });
});
