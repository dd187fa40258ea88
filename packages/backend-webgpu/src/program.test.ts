import { describe, expect, it } from "vitest";

import { defineProgram, uniformBytes, wgslOf } from "./program.js";

describe("wgslOf", () => {
  it("declares arrays and uniforms before the code", () => {
    const program = defineProgram({
      name: "demo",
      reads: { x: "f32" },
      writes: { y: "u32" },
      uniforms: { rows: "u32", epsilon: "f32" },
      code: "fn main() {}",
      enable: ["f16"],
    });
    expect(wgslOf(program)).toMatchInlineSnapshot(`
      "enable f16;
      @group(0) @binding(0) var<storage, read> x : array<f32>;
      @group(0) @binding(1) var<storage, read_write> y : array<u32>;
      struct Uniforms {
        rows : u32,
        epsilon : f32,
      }
      @group(0) @binding(2) var<uniform> uniforms : Uniforms;
      fn main() {}
      "
    `);
  });
});

describe("uniformBytes", () => {
  it("puts the values one after the other, as their types say", () => {
    const bytes = uniformBytes({ a: "u32", b: "f32", c: "i32" }, { c: -1, a: 7, b: 1.5 });
    const view = new DataView(bytes.buffer);
    expect(bytes.length).toBe(16);
    expect([view.getUint32(0, true), view.getFloat32(4, true), view.getInt32(8, true)]).toEqual([7, 1.5, -1]);
  });
});
