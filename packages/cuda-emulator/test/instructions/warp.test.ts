import { afterAll, beforeAll, describe, expect, it } from "vitest";

import { entry, Machine, module } from "../machine.js";

const REGISTERS = ".reg .b32 %r<12>; .reg .pred %p<4>; .reg .b64 %d<4>;";
const LANE = "mov.u32 %r0, %tid.x; mad.wide.u32 %d0, %r0, 4, %a0;";

describe("warps", () => {
  let machine: Machine;
  beforeAll(async () => {
    machine = await Machine.start();
  });
  afterAll(() => machine.close());

  /** Runs code that leaves its result in `%r1`. */
  const lanes = (code: string, threads = 32): readonly number[] => {
    const ptx = module(entry("k", 1, `${REGISTERS} ${LANE} ${code} st.global.u32 [%d0], %r1;`));
    const address = machine.put(new Uint32Array(threads));
    machine.run(machine.kernel(ptx, "k"), [address], { block: [threads] });
    return [...machine.get(address, new Uint32Array(threads))];
  };
  const each = (of: (lane: number) => number) => Array.from({ length: 32 }, (_, lane) => of(lane));

  it("shuffle", () => {
    expect(lanes("shfl.sync.up.b32 %r1, %r0, 3, 0, -1;")).toEqual(
      each((lane) => (lane < 3 ? lane : lane - 3)),
    );
    expect(lanes("shfl.sync.down.b32 %r1, %r0, 3, 31, -1;")).toEqual(
      each((lane) => (lane > 28 ? lane : lane + 3)),
    );
    expect(lanes("shfl.sync.bfly.b32 %r1, %r0, 5, 31, -1;")).toEqual(each((lane) => lane ^ 5));
    expect(lanes("shfl.sync.idx.b32 %r1, %r0, 7, 31, -1;")).toEqual(each(() => 7));
  });

  it("shuffle within segments, and say which lanes were in range", () => {
    // Segments of 8 lanes: bits 8 to 12 hold 24, the low bits 7.
    const segments = 24 * 256 + 7;
    const down = `shfl.sync.down.b32 %r2|%p0, %r0, 2, ${segments}, -1; selp.u32 %r1, %r2, 99, %p0;`;
    expect(lanes(down)).toEqual(each((lane) => (lane % 8 < 6 ? lane + 2 : 99)));
    expect(lanes(`shfl.sync.idx.b32 %r1, %r0, 2, ${segments}, -1;`)).toEqual(
      each((lane) => lane - (lane % 8) + 2),
    );
  });

  it("vote", () => {
    const odd = "and.b32 %r2, %r0, 1; setp.eq.u32 %p0, %r2, 1;";
    expect(lanes(`${odd} vote.sync.ballot.b32 %r1, %p0, -1;`)).toEqual(each(() => 0xaaaaaaaa));
    expect(lanes(`${odd} vote.sync.any.pred %p1, %p0, -1; selp.u32 %r1, 1, 0, %p1;`)).toEqual(each(() => 1));
    expect(lanes(`${odd} vote.sync.all.pred %p1, %p0, -1; selp.u32 %r1, 1, 0, %p1;`)).toEqual(each(() => 0));
  });

  it("vote in halves at the same time", () => {
    const code = `setp.lt.u32 %p0, %r0, 16; selp.b32 %r2, 0xFFFF, 0xFFFF0000, %p0; and.b32 %r3, %r0, 2; setp.ne.u32 %p1, %r3, 0;
@%p0 bra LOW; vote.sync.ballot.b32 %r1, %p1, %r2; bra DONE; LOW: vote.sync.ballot.b32 %r1, %p1, %r2; DONE:`;
    expect(lanes(code)).toEqual(each((lane) => (lane < 16 ? 0xcccc : 0xcccc0000)));
  });

  it("reduce", () => {
    const values = "xor.b32 %r2, %r0, 21; sub.u32 %r2, %r2, 8;";
    expect(lanes(`${values} redux.sync.add.u32 %r1, %r2, -1;`)).toEqual(each(() => 496 - 256));
    expect(lanes(`${values} redux.sync.min.s32 %r1, %r2, -1;`)).toEqual(each(() => 0xfffffff8));
    expect(lanes(`${values} redux.sync.max.u32 %r1, %r2, -1;`)).toEqual(each(() => 0xffffffff));
    expect(lanes(`redux.sync.xor.b32 %r1, %r0, -1;`)).toEqual(each(() => 0));
  });

  it("match and elect", () => {
    expect(lanes("and.b32 %r2, %r0, 3; match.any.sync.b32 %r1, %r2, -1;")).toEqual(
      each((lane) => (0x11111111 << (lane % 4)) >>> 0),
    );
    expect(lanes("elect.sync %r1|%p0, -1;")).toEqual(each(() => 0));
  });

  it("know their lanes", () => {
    expect(lanes("mov.u32 %r1, %lanemask_lt;")).toEqual(each((lane) => 2 ** lane - 1));
    expect(lanes("mov.u32 %r1, %lanemask_ge;")).toEqual(each((lane) => (0xffffffff << lane) >>> 0));
    expect(lanes("mov.u32 %r2, %laneid; mov.u32 %r3, %ntid.x; add.u32 %r1, %r2, %r3;")).toEqual(
      each((lane) => lane + 32),
    );
  });

  it("count predicates at a barrier of the block", () => {
    const odd = "and.b32 %r2, %r0, 1; setp.eq.u32 %p0, %r2, 1;";
    expect(new Set(lanes(`${odd} bar.red.popc.u32 %r1, 0, %p0;`, 96))).toEqual(new Set([48]));
    expect(new Set(lanes(`${odd} bar.red.or.pred %p1, 0, %p0; selp.u32 %r1, 1, 0, %p1;`, 96))).toEqual(
      new Set([1]),
    );
    expect(new Set(lanes(`${odd} bar.red.and.pred %p1, 0, %p0; selp.u32 %r1, 1, 0, %p1;`, 96))).toEqual(
      new Set([0]),
    );
  });
});

describe("control flow", () => {
  let machine: Machine;
  beforeAll(async () => {
    machine = await Machine.start();
  });
  afterAll(() => machine.close());

  it("loops", () => {
    const body = `${REGISTERS} ${LANE} mov.u32 %r1, 0; mov.u32 %r2, 0;
$L__BB0_1: setp.ge.u32 %p0, %r2, %r0; @%p0 bra $L__BB0_2; add.u32 %r2, %r2, 1; add.u32 %r1, %r1, %r2; bra.uni $L__BB0_1;
$L__BB0_2: st.global.u32 [%d0], %r1;`;
    const address = machine.put(new Uint32Array(32));
    machine.run(machine.kernel(module(entry("k", 1, body)), "k"), [address]);
    expect([...machine.get(address, new Uint32Array(32))]).toEqual(
      Array.from({ length: 32 }, (_, n) => (n * (n + 1)) / 2),
    );
  });

  it("calls functions, also from each other", () => {
    const twice = `.func (.param .b32 out) twice(.param .b32 in) { .reg .b32 %r<2>;
ld.param.u32 %r0, [in]; add.u32 %r1, %r0, %r0; st.param.b32 [out], %r1; ret; }`;
    const call = (name: string, from: string, to: string) => `{ .param .b32 arg; .param .b32 result;
st.param.b32 [arg], ${from}; call.uni (result), ${name}, (arg); ld.param.b32 ${to}, [result]; }`;
    const more = `.func (.param .b32 out) more(.param .b32 in) { .reg .b32 %r<3>;
ld.param.u32 %r0, [in]; ${call("twice", "%r0", "%r1")} add.u32 %r2, %r1, 1; st.param.b32 [out], %r2; ret; }`;
    const body = `${REGISTERS} ${LANE} ${call("more", "%r0", "%r1")} st.global.u32 [%d0], %r1;`;
    const address = machine.put(new Uint32Array(32));
    machine.run(machine.kernel(module(twice, more, entry("k", 1, body)), "k"), [address]);
    expect([...machine.get(address, new Uint32Array(32))]).toEqual(
      Array.from({ length: 32 }, (_, n) => 2 * n + 1),
    );
  });

  it("gives blocks and threads their places", () => {
    const body = `${REGISTERS} mov.u32 %r0, %tid.y; mov.u32 %r1, %ntid.x; mov.u32 %r2, %tid.x; mad.lo.u32 %r3, %r0, %r1, %r2;
mov.u32 %r4, %ctaid.y; mov.u32 %r5, %nctaid.x; mov.u32 %r6, %ctaid.x; mad.lo.u32 %r7, %r4, %r5, %r6;
mov.u32 %r8, %ntid.y; mul.lo.u32 %r8, %r8, %r1; mad.lo.u32 %r9, %r7, %r8, %r3; mad.wide.u32 %d0, %r9, 4, %a0; st.global.u32 [%d0], %r9;`;
    const address = machine.put(new Uint32Array(72));
    machine.run(machine.kernel(module(entry("k", 1, body)), "k"), [address], { grid: [2, 3], block: [4, 3] });
    expect([...machine.get(address, new Uint32Array(72))]).toEqual(
      Array.from({ length: 72 }, (_, index) => index),
    );
  });
});
