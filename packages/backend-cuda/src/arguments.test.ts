import fc from "fast-check";
import { describe, expect, it } from "vitest";

import { type Pointer, packArguments } from "./arguments.js";
import type { LoadedKernel } from "./compile/kernel-cache.js";
import type { ParameterType } from "./program.js";

function kernelOf(params: Readonly<Record<string, ParameterType>>): LoadedKernel {
  const buffer = new ArrayBuffer(8 * Object.keys(params).length);
  return {
    program: { name: "k", source: "", entry: "k", params, block: 1 },
    handle: 1,
    block: [1, 1, 1],
    names: Object.keys(params),
    types: Object.values(params),
    parameters: 1,
    words: new Uint32Array(buffer),
    floats: new Float32Array(buffer),
    staticSharedBytes: 0,
    allowedSharedBytes: 0,
  };
}

const nowhere = (_: Pointer) => 0;

describe("arguments are packed", () => {
  it("as the kernel reads them", () => {
    const kernel = kernelOf({ p: "pointer", i: "i32", u: "u32", n: "i64", f: "f32" });
    packArguments(kernel, { p: null, i: -2, u: 4e9, n: -3, f: 0.1 }, () => 0x7f12_3456_7890);
    const view = new DataView(kernel.words.buffer);
    expect(view.getBigUint64(0, true)).toBe(0x7f12_3456_7890n);
    expect(view.getInt32(8, true)).toBe(-2);
    expect(view.getUint32(16, true)).toBe(4e9);
    expect(view.getBigInt64(24, true)).toBe(-3n);
    expect(view.getFloat32(32, true)).toBe(Math.fround(0.1));
  });

  it("with 64 bits where they have them", () => {
    const kernel = kernelOf({ n: "i64", p: "pointer" });
    const address = fc.integer({ min: 0, max: Number.MAX_SAFE_INTEGER });
    fc.assert(
      fc.property(fc.maxSafeInteger(), address, (n, p) => {
        packArguments(kernel, { n, p: null }, () => p);
        const view = new DataView(kernel.words.buffer);
        expect([view.getBigInt64(0, true), view.getBigUint64(8, true)]).toEqual([BigInt(n), BigInt(p)]);
      }),
    );
  });

  it.each([
    ["i32", 1.5],
    ["i32", 2 ** 31],
    ["u32", -1],
    ["i64", Number.NaN],
    ["pointer", 7],
  ] as const)("but not where a %s is %d", (type, value) => {
    expect(() => packArguments(kernelOf({ a: type }), { a: value }, nowhere)).toThrow(
      `k: "a" is ${value}, which is no ${type}.`,
    );
  });

  it("but not where one is missing, or a pointer to a number", () => {
    expect(() => packArguments(kernelOf({ a: "f32" }), {}, nowhere)).toThrowErrorMatchingInlineSnapshot(
      `[RangeError: k: no f32 was given for "a".]`,
    );
    expect(() =>
      packArguments(kernelOf({ a: "i32" }), { a: null }, nowhere),
    ).toThrowErrorMatchingInlineSnapshot(`[RangeError: k: no i32 was given for "a".]`);
  });
});
