import { afterAll, beforeAll, describe, expect, it } from "vitest";

import { entry, Machine, module } from "../machine.js";

describe("memory", () => {
  let machine: Machine;
  beforeAll(async () => {
    machine = await Machine.start();
  });
  afterAll(() => machine.close());

  const run = (parts: readonly string[], input: ArrayBufferView, bytes: number, block = 1): Uint8Array => {
    const kernel = machine.kernel(module(...parts), "k");
    const addresses = [machine.put(input), machine.put(new Uint8Array(bytes))];
    machine.run(kernel, addresses, { block: [block] });
    return machine.get(addresses[1] ?? 0n, new Uint8Array(bytes));
  };
  const words = (bytes: Uint8Array) => [...new Uint32Array(bytes.buffer)];

  it("loads and stores vectors", () => {
    const body = `.reg .f32 %f<4>; .reg .b32 %r<4>; .reg .b64 %d<2>; .reg .b16 %h<4>;
ld.global.nc.L1::no_allocate.v4.f32 {%f0, %f1, %f2, %f3}, [%a0];
st.global.v4.f32 [%a1], {%f3, %f2, %f1, %f0};
ld.global.v2.u32 {%r0, _}, [%a0+8];
st.global.u32 [%a1+16], %r0;
ld.volatile.global.v2.b64 {%d0, %d1}, [%a0];
st.global.v2.b64 [%a1+32], {%d1, %d0};
ld.global.v4.u16 {%h0, %h1, %h2, %h3}, [%a0];
st.global.v2.u16 [%a1+20], {%h3, %h1};`;
    const bytes = run([entry("k", 2, body)], new Float32Array([1, 2, 3, 4]), 48);
    expect([...new Float32Array(bytes.buffer, 0, 5)]).toEqual([4, 3, 2, 1, 3]);
    expect([...new Float32Array(bytes.buffer, 32, 4)]).toEqual([3, 4, 1, 2]);
    expect([...new Uint16Array(bytes.buffer, 20, 2)]).toEqual([0x4000, 0x3f80]);
  });

  it("extends narrow values with their sign", () => {
    const body = `.reg .b32 %r<4>; .reg .b16 %h<2>;
ld.global.s8 %r0, [%a0]; st.global.u32 [%a1], %r0;
ld.global.u8 %r1, [%a0]; st.global.u32 [%a1+4], %r1;
ld.global.s8 %h0, [%a0]; cvt.s32.s16 %r2, %h0; st.global.u32 [%a1+8], %r2;
ld.global.s16 %r3, [%a0]; st.global.u8 [%a1+12], %r3;`;
    expect(words(run([entry("k", 2, body)], new Uint8Array([0x80, 0xff, 0, 0]), 16))).toEqual([
      0xffffff80, 0x80, 0xffffff80, 0x80,
    ]);
  });

  it("reads tables, also through their addresses", () => {
    const tables = [
      ".global .align 4 .f32 floats[2] = {0f3F800000, 0f40000000};",
      ".const .align 4 .b32 numbers[3] = {7, -1, 0x10};",
      ".global .align 1 .b8 bytes[4] = {1, 2, 3, 4};",
    ];
    const body = `.reg .b32 %r<4>; .reg .b64 %d<4>; .reg .f32 %f<1>;
mov.u64 %d0, floats; ld.global.f32 %f0, [%d0+4]; st.global.f32 [%a1], %f0;
ld.const.u32 %r0, [numbers+4]; st.global.u32 [%a1+4], %r0;
mov.u64 %d1, bytes; cvta.global.u64 %d2, %d1; ld.u32 %r1, [%d2]; st.global.u32 [%a1+8], %r1;`;
    expect(words(run([...tables, entry("k", 2, body)], new Uint8Array(4), 12))).toEqual([
      0x40000000, 0xffffffff, 0x04030201,
    ]);
  });

  it("gives each thread local memory, also through generic addresses", () => {
    const body = `.local .align 4 .b8 depot[16]; .reg .b64 %d<6>; .reg .b32 %r<4>;
mov.u32 %r0, %tid.x;
mov.u64 %d0, depot; cvta.local.u64 %d1, %d0;
st.local.u32 [%d0+4], %r0; ld.u32 %r1, [%d1+4];
mad.wide.u32 %d2, %r0, 4, %a1; st.global.u32 [%d2], %r1;`;
    expect(words(run([entry("k", 2, body)], new Uint8Array(4), 16, 4))).toEqual([0, 1, 2, 3]);
  });

  it("shares static and dynamic memory in a block", () => {
    const ptx = module(
      ".extern .shared .align 16 .b8 dynamic[];",
      entry(
        "k",
        2,
        `.shared .align 4 .b8 fixed[16]; .reg .b64 %d<6>; .reg .b32 %r<8>;
mov.u32 %r0, %tid.x; shl.b32 %r1, %r0, 2;
mov.u32 %r2, fixed; add.u32 %r2, %r2, %r1; st.shared.u32 [%r2], %r0;
mov.u32 %r3, dynamic; add.u32 %r3, %r3, %r1; st.shared.u32 [%r3], %r1;
bar.sync 0;
xor.b32 %r4, %r1, 4; mov.u32 %r5, fixed; add.u32 %r5, %r5, %r4; ld.shared.u32 %r6, [%r5];
cvt.u64.u32 %d0, %r4; mov.u64 %d1, dynamic; cvta.shared.u64 %d2, %d1; add.s64 %d3, %d2, %d0; ld.u32 %r7, [%d3];
add.u32 %r6, %r6, %r7; mad.wide.u32 %d4, %r0, 4, %a1; st.global.u32 [%d4], %r6;`,
      ),
    );
    const addresses = [machine.put(new Uint8Array(4)), machine.put(new Uint8Array(16))];
    machine.run(machine.kernel(ptx, "k"), addresses, { block: [4], shared: 16 });
    expect(words(machine.get(addresses[1] ?? 0n, new Uint8Array(16)))).toEqual([5, 0, 15, 10]);
  });

  it("passes parameters of every width where they are aligned", () => {
    const ptx =
      module(`.visible .entry k(.param .u64 k_out, .param .u32 k_a, .param .f32 k_b, .param .u64 k_c,
  .param .align 8 .b8 k_d[16]) {
.reg .b64 %d<4>; .reg .b32 %r<4>; .reg .f32 %f<2>;
ld.param.u64 %d0, [k_out]; ld.param.u32 %r0, [k_a]; ld.param.f32 %f0, [k_b]; ld.param.u64 %d1, [k_c];
ld.param.v2.u32 {%r1, %r2}, [k_d+8];
st.global.u32 [%d0], %r0; st.global.f32 [%d0+4], %f0; st.global.u64 [%d0+8], %d1; st.global.v2.u32 [%d0+16], {%r2, %r1};
ret; }`);
    const out = machine.put(new Uint8Array(24));
    // The structure of 16 bytes is the value of the last argument and what lies behind it.
    machine.run(
      machine.kernel(ptx, "k"),
      [out, -5, { float: 2.5 }, 2n ** 40n + 1n, 1n, 0x0000000700000009n],
      { block: [1] },
    );
    const bytes = machine.get(out, new Uint8Array(24));
    expect(words(bytes)).toEqual([0xfffffffb, 0x40200000, 1, 256, 7, 9]);
  });
});

describe("atomics", () => {
  let machine: Machine;
  beforeAll(async () => {
    machine = await Machine.start();
  });
  afterAll(() => machine.close());

  it.each([
    { code: "red.global.add.u32 [%a0], %r0;", start: 5, expected: 5 + 496 },
    { code: "atom.global.add.u32 %r1, [%a0], %r0;", start: 0, expected: 496 },
    { code: "atom.global.max.s32 %r1, [%a0], %r0;", start: -3, expected: 31 },
    { code: "atom.global.min.u32 %r1, [%a0], %r0;", start: 9, expected: 0 },
    { code: "atom.global.or.b32 %r1, [%a0], %r0;", start: 32, expected: 63 },
    { code: "atom.global.and.b32 %r1, [%a0], %r0;", start: -1, expected: 0 },
    { code: "atom.global.xor.b32 %r1, [%a0], %r0;", start: 0, expected: 0 },
    { code: "atom.global.exch.b32 %r1, [%a0], %r0;", start: 7, expected: 31 },
    { code: "atom.global.cas.b32 %r1, [%a0], 7, %r0;", start: 7, expected: 0 },
    { code: "atom.global.inc.u32 %r1, [%a0], 9;", start: 8, expected: 0 },
    { code: "atom.global.dec.u32 %r1, [%a0], 9;", start: 3, expected: 1 },
    { code: "red.relaxed.gpu.global.add.u32 [%a0], %r0;", start: 0, expected: 496 },
  ])("$code", ({ code, start, expected }) => {
    const ptx = module(entry("k", 1, `.reg .b32 %r<2>; mov.u32 %r0, %tid.x; ${code}`));
    const address = machine.put(new Int32Array([start]));
    machine.run(machine.kernel(ptx, "k"), [address]);
    const [value] = machine.get(address, new Int32Array(1));
    expect(value).toBe(expected);
  });

  it("adds floats, also to shared memory", () => {
    const ptx = module(
      entry(
        "k",
        1,
        `.shared .align 4 .b8 sum[4]; .reg .f32 %f<2>; .reg .b32 %r<1>; .reg .pred %p<1>;
mov.u32 %r0, %tid.x; setp.eq.u32 %p0, %r0, 0; mov.f32 %f1, 0f00000000; @%p0 st.shared.f32 [sum], %f1; bar.sync 0;
cvt.rn.f32.u32 %f0, %r0; atom.shared.add.f32 %f1, [sum], %f0; bar.sync 0;
ld.shared.f32 %f1, [sum]; @%p0 st.global.f32 [%a0], %f1;
red.global.add.f32 [%a0+4], %f0;`,
      ),
    );
    const address = machine.put(new Float32Array([0, 0.5]));
    machine.run(machine.kernel(ptx, "k"), [address]);
    expect([...machine.get(address, new Float32Array(2))]).toEqual([496, 496.5]);
  });
});
