import { describe, expect, it } from "vitest";

import { translate } from "./translate.js";

const kernel = (body: string) => `.version 8.0
.target sm_80
.address_size 64
.visible .entry k(.param .u64 k_p) {
.reg .b32 %r<4>; .reg .pred %p<2>; .reg .b64 %d<2>; .reg .f32 %f<4>; .reg .b16 %h<2>;
${body}
ret;
}
`;

describe("what the translator does not know is an error", () => {
  it.each([
    ["activemask.b32 %r0;", 'PTX line 6: the emulator does not support "activemask.b32"'],
    ["add.cc.u32 %r0, %r1, %r2;", 'PTX line 6: the emulator does not support "add.cc.u32"'],
    ["add.rz.f64 %r0, %r1, %r2;", 'PTX line 6: the emulator does not support "add.rz.f64"'],
    ["add.b32 %r0, %r1, %r2;", 'PTX line 6: the emulator does not support "add.b32"'],
    ["ld.global.v8.f32 {%f0}, [%d0];", 'PTX line 6: the emulator does not support "ld.global.v8.f32"'],
    ["ld.global.v2.f32 {%f0}, [%d0];", 'PTX line 6: the emulator does not support "ld.global.v2.f32"'],
    ["wgmma.fence.sync.aligned;", 'PTX line 6: the emulator does not support "wgmma.fence.sync.aligned"'],
    [
      "mma.sync.aligned.m16n8k16.row.col.f16.f16.f16.f16 {%r0, %r1}, {%r0}, {%r0}, {%r0};",
      'PTX line 6: the emulator does not support "mma.sync.aligned.m16n8k16.row.col.f16.f16.f16.f16"',
    ],
    ["mov.u32 %r0, %clock;", 'PTX line 6: unknown operand "%clock"'],
    ["mov.u32 %r9, %r0;", 'PTX line 6: unknown register "%r9"'],
    ["add.u32 %r0, %r1;", 'PTX line 6: "add.u32" lacks its operand 3'],
    ["call.uni vprintf, (%d0);", 'PTX line 6: call of "vprintf", which the text does not define'],
    ["mov.u32 %r0, ?;", 'PTX line 6: unexpected text "?;\nret;\n}\n"'],
    ["mov.u32 %r0, {;", 'PTX line 6: expected an operand, found ";"'],
  ])("%s", (body, message) => {
    expect(() => translate(kernel(body))).toThrow(message);
  });

  it.each([
    [".texref t;", 'PTX line 1: unknown directive ".texref"'],
    [".extern .global .u32 x;", 'PTX line 1: "x" is defined in another text'],
    [".global .u64 x = y;", 'PTX line 1: the value "y" of "x" is not supported'],
    [".visible .entry k(", "PTX line 1: the text ends too early"],
  ])("%s", (text, message) => {
    expect(() => translate(text)).toThrow(message);
  });
});

describe("the translation", () => {
  it("of a kernel is one C++ function", () => {
    const text = translate(
      kernel("ld.param.u64 %d0, [k_p];\n@!%p0 bra END;\nadd.f32 %f0, %f1, 0f3F800000;\nEND:"),
    );
    expect(text).toMatchSnapshot();
  });

  it("skips what debuggers read", () => {
    const text = kernel(
      '.loc 1 3 5, function_name $L__info_string0, inlined_at 1 2 3\n.pragma "nounroll";\nadd.u32 %r0, %r1, %r2;',
    );
    expect(translate(`${text}.file 1 "k.cu"\n.section .debug_str\n{\n.b8 1\n}\n`)).toBe(
      translate(kernel("add.u32 %r0, %r1, %r2;")),
    );
  });

  it("knows whether threads wait for each other, and whether blocks share memory", () => {
    const flags = (body: string) =>
      /cooperative = (\w+), \.shares = (\w+)/.exec(translate(kernel(body)))?.slice(1);
    expect(flags("add.u32 %r0, %r1, %r2;")).toEqual(["false", "false"]);
    expect(flags("bar.sync 0;")).toEqual(["true", "false"]);
    expect(flags("red.global.add.u32 [%d0], 1;")).toEqual(["false", "true"]);
    expect(flags("red.shared.add.u32 [%r0], 1;")).toEqual(["false", "false"]);
  });
});
