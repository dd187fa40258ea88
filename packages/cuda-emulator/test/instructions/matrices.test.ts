import fc from "fast-check";
import { afterAll, beforeAll, describe, expect, it } from "vitest";

import { floatBits } from "../instruction.js";
import { entry, Machine, module } from "../machine.js";

/** Small multiples of 1/8, which all formats hold and whose sums are exact. */
const numbers = (count: number, seed: number): readonly number[] =>
  fc.sample(fc.integer({ min: -16, max: 16 }), { numRuns: count, seed }).map((x) => x / 8);

/** Bits of numbers in a format, packed into words. */
const PACK = {
  bf16: (values: readonly number[]) => new Uint16Array(values.map((x) => Number(floatBits(x) >> 16n))),
  f16: (values: readonly number[]) => new Uint16Array(values.map(toF16)),
  tf32: (values: readonly number[]) => new Float32Array(values),
};

function toF16(x: number): number {
  if (x === 0) return 0;
  const exponent = Math.floor(Math.log2(Math.abs(x)));
  return (x < 0 ? 0x8000 : 0) + ((exponent + 15) << 10) + (Math.abs(x) / 2 ** exponent - 1) * 1024;
}

/**
 * One warp, fragments as the PTX manual lays them out. A is [16, depth], B is given as its transpose [8, depth], both
 * row-major; a register holds `4 / bytes` neighbours of the depth.
 */
function kernelOf(form: string, depth: number, bytes: 2 | 4): string {
  const halves = depth / (16 / bytes);
  const at = (row: string, half: number) =>
    `mad.lo.u32 %r6, ${row}, ${depth * bytes}, %r5; add.u32 %r6, %r6, ${half * 16};`;
  const load = (register: string, pointer: string, row: string, half: number) =>
    `${at(row, half)} cvt.u64.u32 %d0, %r6; add.s64 %d1, ${pointer}, %d0; ld.global.u32 ${register}, [%d1];`;
  const fragments = Array.from({ length: halves }, (_, half) => [
    load(`%x${2 * half}`, "%a0", "%r2", half),
    load(`%x${2 * half + 1}`, "%a0", "%r3", half),
    load(`%y${half}`, "%a1", "%r2", half),
  ]).flat();
  const list = (prefix: string, count: number) =>
    Array.from({ length: count }, (_, index) => `${prefix}${index}`).join(", ");
  return entry(
    "k",
    3,
    `.reg .b32 %r<8>; .reg .b32 %x<4>; .reg .b32 %y<2>; .reg .f32 %f<4>; .reg .b64 %d<4>;
mov.u32 %r0, %tid.x; and.b32 %r1, %r0, 3; shr.u32 %r2, %r0, 2; add.u32 %r3, %r2, 8; shl.b32 %r5, %r1, 2;
${fragments.join("\n")}
mul.lo.u32 %r7, %r2, 32; mad.lo.u32 %r7, %r1, 8, %r7; cvt.u64.u32 %d2, %r7; add.s64 %d3, %a2, %d2;
ld.global.v2.f32 {%f0, %f1}, [%d3]; ld.global.v2.f32 {%f2, %f3}, [%d3+256];
mma.sync.aligned.${form} {%f0, %f1, %f2, %f3}, {${list("%x", 2 * halves)}}, {${list("%y", halves)}}, {%f0, %f1, %f2, %f3};
st.global.v2.f32 [%d3], {%f0, %f1}; st.global.v2.f32 [%d3+256], {%f2, %f3};`,
  );
}

describe("matrices", () => {
  let machine: Machine;
  beforeAll(async () => {
    machine = await Machine.start();
  });
  afterAll(() => machine.close());

  it.each([
    { type: "bf16", depth: 16, bytes: 2 },
    { type: "bf16", depth: 8, bytes: 2 },
    { type: "f16", depth: 16, bytes: 2 },
    { type: "f16", depth: 8, bytes: 2 },
    { type: "tf32", depth: 8, bytes: 4 },
    { type: "tf32", depth: 4, bytes: 4 },
  ] as const)("mma.sync m16n8k$depth of $type", ({ type, depth, bytes }) => {
    const form = `m16n8k${depth}.row.col.f32.${type}.${type}.f32`;
    const kernel = machine.kernel(module(kernelOf(form, depth, bytes)), "k");
    const [a, b, c] = [numbers(16 * depth, 1), numbers(8 * depth, 2), numbers(16 * 8, 3)];
    const addresses = [
      machine.put(PACK[type](a)),
      machine.put(PACK[type](b)),
      machine.put(new Float32Array(c)),
    ];
    machine.run(kernel, addresses);
    const wanted = c.map((start, index) => {
      const [row, column] = [Math.floor(index / 8), index % 8];
      const terms = Array.from(
        { length: depth },
        (_, k) => (a[row * depth + k] ?? 0) * (b[column * depth + k] ?? 0),
      );
      return terms.reduce((sum, term) => sum + term, start);
    });
    expect([...machine.get(addresses[2] ?? 0n, new Float32Array(128))]).toEqual(wanted);
  });

  it.each([
    { suffix: "", transposed: false },
    { suffix: ".trans", transposed: true },
  ])("ldmatrix$suffix and stmatrix$suffix", ({ suffix, transposed }) => {
    // Four tiles of 8 rows of 16 bytes; lane l names row l.
    const body = `.shared .align 16 .b8 tiles[512]; .shared .align 16 .b8 copy[512]; .reg .b32 %r<8>; .reg .b32 %t<4>; .reg .b64 %d<4>;
mov.u32 %r0, %tid.x; shl.b32 %r1, %r0, 4; cvt.u64.u32 %d0, %r1; add.s64 %d1, %a0, %d0; add.s64 %d2, %a1, %d0;
mov.u32 %r2, tiles; add.u32 %r2, %r2, %r1; mov.u32 %r3, copy; add.u32 %r3, %r3, %r1;
ld.global.v4.u32 {%r4, %r5, %r6, %r7}, [%d1]; st.shared.v4.u32 [%r2], {%r4, %r5, %r6, %r7};
bar.warp.sync -1;
ldmatrix.sync.aligned.m8n8.x4${suffix}.shared.b16 {%t0, %t1, %t2, %t3}, [%r2];
st.global.v4.u32 [%d2], {%t0, %t1, %t2, %t3};
stmatrix.sync.aligned.m8n8.x4${suffix}.shared.b16 [%r3], {%t0, %t1, %t2, %t3};
bar.warp.sync -1;
ld.shared.v4.u32 {%r4, %r5, %r6, %r7}, [%r3]; st.global.v4.u32 [%d2+512], {%r4, %r5, %r6, %r7};`;
    const input = new Uint16Array(256).map((_, index) => index);
    const output = machine.put(new Uint16Array(512));
    machine.run(machine.kernel(module(entry("k", 2, body)), "k"), [machine.put(input), output]);
    const result = machine.get(output, new Uint16Array(512));
    const wanted = Array.from({ length: 256 }, (_, index) => {
      const [lane, tile, half] = [Math.floor(index / 8), Math.floor(index / 2) % 4, index % 2];
      const [row, column] = [lane >> 2, (lane & 3) * 2 + half];
      return tile * 64 + (transposed ? column * 8 + row : row * 8 + column);
    });
    expect([...result.subarray(0, 256)]).toEqual(wanted);
    expect([...result.subarray(256)]).toEqual([...input]);
  });

  it("cp.async brings a group when it is waited for, with zeros after what is read", () => {
    const body = `.shared .align 16 .b8 buffer[48]; .reg .b32 %r<8>; .reg .f32 %f<4>;
mov.u32 %r0, buffer;
cp.async.cg.shared.global [%r0], [%a0], 16; cp.async.commit_group;
cp.async.ca.shared.global.L2::128B [%r0+16], [%a0+16], 16, 8; cp.async.commit_group;
cp.async.wait_group 1;
ld.shared.v4.f32 {%f0, %f1, %f2, %f3}, [%r0]; st.global.v4.f32 [%a1], {%f0, %f1, %f2, %f3};
ld.shared.v4.f32 {%f0, %f1, %f2, %f3}, [%r0+16]; st.global.v4.f32 [%a1+16], {%f0, %f1, %f2, %f3};
cp.async.wait_all;
ld.shared.v4.f32 {%f0, %f1, %f2, %f3}, [%r0+16]; st.global.v4.f32 [%a1+32], {%f0, %f1, %f2, %f3};`;
    const output = machine.put(new Float32Array(12));
    const input = machine.put(new Float32Array([1, 2, 3, 4, 5, 6, 7, 8]));
    machine.run(machine.kernel(module(entry("k", 2, body)), "k"), [input, output], { block: [1] });
    const result = [...machine.get(output, new Float32Array(12))];
    expect(result.slice(0, 4)).toEqual([1, 2, 3, 4]);
    expect(result.slice(4, 8)).toEqual([NaN, NaN, NaN, NaN]);
    expect(result.slice(8)).toEqual([5, 6, 0, 0]);
  });
});
