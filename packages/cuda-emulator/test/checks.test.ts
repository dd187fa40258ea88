import { afterAll, afterEach, beforeAll, describe, expect, it } from "vitest";

import { entry, Machine, module, type Start } from "./machine.js";

const REGISTERS = ".reg .b32 %r<12>; .reg .pred %p<4>; .reg .b64 %d<4>; .reg .f32 %f<4>;";

/** Errors of cuda.h. */
const ILLEGAL_ADDRESS = 700;
const LAUNCH_TIMEOUT = 702;
const MISALIGNED_ADDRESS = 716;
const LAUNCH_FAILED = 719;

describe("faults of kernels", () => {
  let machine: Machine;
  beforeAll(async () => {
    machine = await Machine.start();
  });
  afterEach(() => machine.fake.reset());
  afterAll(() => machine.close());

  /** Runs code on `[64]` words and says what the driver answers. */
  const outcome = (code: string, start: Start = {}): { code: number; fault: string } => {
    const kernel = machine.kernel(module(entry("k", 1, `${REGISTERS} ${code}`)), "k");
    const address = machine.put(new Uint32Array(64));
    const answer = machine.launch(kernel, [address], start) || machine.api.synchronize();
    const fault = machine.fake.lastFault().replace(/0x[0-9a-f]+/, "ADDRESS");
    machine.fake.reset();
    machine.api.free(address);
    return { code: answer, fault };
  };
  const own = "mov.u32 %r0, %tid.x; shl.b32 %r1, %r0, 2;";

  it("an access beyond an allocation", () => {
    expect(
      outcome("mov.u32 %r0, %tid.x; mad.wide.u32 %d0, %r0, 4, %a0; st.global.u32 [%d0+252], %r0;", {
        block: [2],
      }),
    ).toEqual({
      code: ILLEGAL_ADDRESS,
      fault:
        "memcheck: store of 4 bytes at ADDRESS, outside of every allocation; the one before it ends 0 bytes earlier [kernel k, block (0, 0, 0), thread (1, 0, 0)]",
    });
    expect(outcome("ld.global.u32 %r0, [%a0+256];").code).toBe(ILLEGAL_ADDRESS);
    expect(outcome("ld.global.u32 %r0, [%a0+-4];").code).toBe(ILLEGAL_ADDRESS);
    expect(outcome("ld.global.v4.u32 {%r0, %r1, %r2, %r3}, [%a0+256];").code).toBe(ILLEGAL_ADDRESS);
    expect(outcome("red.global.add.u32 [%a0+256], 1;").fault).toContain("memcheck: atomic of 4 bytes");
  });

  it("an access that is not aligned, as a whole where it is a vector", () => {
    expect(outcome("ld.global.u32 %r0, [%a0+2];", { block: [1] })).toEqual({
      code: MISALIGNED_ADDRESS,
      fault: "memcheck: misaligned load of 4 bytes at ADDRESS [kernel k, block (0, 0, 0), thread (0, 0, 0)]",
    });
    expect(outcome("ld.global.v4.u32 {%r0, %r1, %r2, %r3}, [%a0+8];").fault).toContain(
      "misaligned load of 16 bytes",
    );
  });

  it("an access beyond shared memory", () => {
    const code = ".shared .align 4 .b8 s[8]; mov.u32 %r0, s; st.shared.u32 [%r0+16], %r0;";
    expect(outcome(code, { block: [1] })).toEqual({
      code: ILLEGAL_ADDRESS,
      fault:
        "memcheck: store of 4 bytes at offset 16 of 16 bytes of shared memory [kernel k, block (0, 0, 0), thread (0, 0, 0)]",
    });
  });

  it("memory that was freed", () => {
    const kernel = machine.kernel(module(entry("k", 1, `${REGISTERS} ld.global.u32 %r0, [%a0];`)), "k");
    const address = machine.put(new Uint32Array(64));
    machine.api.free(address);
    expect(machine.launch(kernel, [address]) || machine.api.synchronize()).toBe(ILLEGAL_ADDRESS);
  });

  const write = (at: string) => `mov.u32 %r2, s; add.u32 %r3, %r2, ${at}; st.shared.u32 [%r3], %r0;`;
  const read = (at: string) => `mov.u32 %r2, s; add.u32 %r4, %r2, ${at}; ld.shared.u32 %r5, [%r4];`;
  const shared = ".shared .align 16 .b8 s[1024];";

  it("a read of what another thread wrote before a barrier", () => {
    const flipped = "xor.b32 %r6, %r1, 128;";
    const race = outcome(`${shared} ${own} ${write("%r1")} ${flipped} ${read("%r6")}`, { block: [64] });
    expect(race).toEqual({
      code: LAUNCH_FAILED,
      fault:
        "racecheck: store of 4 bytes at offset 128 of shared memory, which thread 0 accessed too, with no barrier between [kernel k, block (0, 0, 0), thread (32, 0, 0)]",
    });
    expect(
      outcome(`${shared} ${own} ${write("%r1")} bar.sync 0; ${flipped} ${read("%r6")}`, { block: [64] }).code,
    ).toBe(0);
  });

  it("a write over what another thread still reads", () => {
    const next = "add.u32 %r6, %r1, 4; and.b32 %r6, %r6, 127;";
    const code = `${shared} ${own} ${write("%r1")} bar.sync 0; ${next} ${read("%r6")}`;
    expect(outcome(`${code} ${write("%r1")}`).fault).toContain("racecheck: store of 4 bytes");
    expect(outcome(`${code} bar.sync 0; ${write("%r1")}`).code).toBe(0);
  });

  it("an exchange in a warp without bar.warp.sync, which a shuffle does not replace", () => {
    const flipped = "xor.b32 %r6, %r1, 4;";
    const exchange = (between: string) =>
      outcome(`${shared} ${own} ${write("%r1")} ${between} ${flipped} ${read("%r6")}`);
    expect(exchange("").fault).toContain("racecheck");
    expect(exchange("shfl.sync.bfly.b32 %r7, %r0, 1, 31, -1;").fault).toContain("racecheck");
    expect(exchange("bar.warp.sync -1;").code).toBe(0);
  });

  it("no race between neighbours in one word", () => {
    const code = `${shared} .reg .b16 %h<2>; mov.u32 %r0, %tid.x; mov.u32 %r2, s; mad.lo.u32 %r3, %r0, 2, %r2;
cvt.u16.u32 %h0, %r0; st.shared.u16 [%r3], %h0; ld.shared.u16 %h1, [%r3];`;
    expect(outcome(code, { block: [64] }).code).toBe(0);
    expect(
      outcome(code.replace("mad.lo.u32 %r3, %r0, 2", "mad.lo.u32 %r3, %r0, 0"), { block: [64] }).fault,
    ).toContain("store of 2 bytes");
  });

  it("a barrier that not all threads reach", () => {
    const half = `${own} setp.lt.u32 %p0, %r0, 32;`;
    expect(outcome(`${half} @%p0 ret; bar.sync 0;`, { block: [64] })).toEqual({
      code: LAUNCH_FAILED,
      fault:
        "synccheck: a barrier of the block after some of its threads returned [kernel k, block (0, 0, 0), thread (32, 0, 0)]",
    });
    expect(outcome(`${half} @%p0 bar.sync 0;`, { block: [64] }).fault).toContain(
      "synccheck: a thread returned while others wait",
    );
  });

  it("threads that wait for each other", () => {
    const code = `${own} setp.lt.u32 %p0, %r0, 32; @%p0 bra LOW; bar.sync 1, 64; bra DONE; LOW: bar.sync 2, 64; DONE:`;
    expect(outcome(code, { block: [64] })).toEqual({
      code: LAUNCH_TIMEOUT,
      fault:
        "deadlock: of 64 threads that run, 64 wait at a barrier of the block and 0 at an instruction of their warp [kernel k, block (0, 0, 0)]",
    });
  });

  it("masks that name lanes which do not come", () => {
    const call = "shfl.sync.bfly.b32 %r7, %r0, 1, 31,";
    expect(outcome(`${own} ${call} -1;`, { block: [16] }).fault).toContain(
      "the mask names lanes that returned or do not exist",
    );
    expect(outcome(`${own} ${call} 0xFF;`).fault).toContain("a lane is not in the mask that it gives");
    const mixed = `${own} setp.lt.u32 %p0, %r0, 16; @%p0 bra LOW; ${call} -1; bra DONE; LOW: bar.warp.sync -1; DONE:`;
    expect(outcome(mixed).fault).toContain("lanes of one mask wait at different instructions");
  });

  it("a trap", () => {
    expect(outcome("trap;", { block: [1] })).toEqual({
      code: LAUNCH_FAILED,
      fault: "trap: a trap instruction [kernel k, block (0, 0, 0), thread (0, 0, 0)]",
    });
  });

  it("the first block's of several, in whichever order blocks run", () => {
    const code = `${own} mov.u32 %r2, %ctaid.x; setp.lt.u32 %p0, %r2, 37; @%p0 bra DONE; ld.global.u32 %r3, [%a0+4096]; DONE:`;
    for (const threads of [1, 4]) {
      machine.fake.configure({ threads });
      const { fault } = outcome(code, { grid: [200], block: [64] });
      expect(fault).toContain("block (37, 0, 0), thread (0, 0, 0)");
    }
  });
});

describe("without checks", () => {
  it("modules run as on a device that says nothing", async () => {
    const machine = await Machine.start();
    machine.fake.configure({ check: false });
    const code = `${REGISTERS} .shared .align 4 .b8 s[64]; mov.u32 %r0, %tid.x; mov.u32 %r1, s; st.shared.u32 [%r1], %r0;`;
    machine.run(machine.kernel(module(entry("k", 1, code)), "k"), [machine.put(new Uint32Array(1))]);
    machine.close();
  });
});
