import { afterAll, beforeAll, describe, expect, it } from "vitest";

import { floatBits, runSamples } from "../instruction.js";
import { Machine } from "../machine.js";

describe("predicates", () => {
  let machine: Machine;
  beforeAll(async () => {
    machine = await Machine.start();
  });
  afterAll(() => machine.close());

  const numbers = [1, 2, NaN, -0, 0, Infinity];
  const pairs = numbers.flatMap((a) => numbers.map((b) => [a, b] as const));
  const ordered = (a: number, b: number) => !Number.isNaN(a) && !Number.isNaN(b);

  it("of floats are false for NaN, or true where they end in u", () => {
    const plain = {
      eq: (a: number, b: number) => a === b,
      ne: (a: number, b: number) => a !== b,
      lt: (a: number, b: number) => a < b,
      le: (a: number, b: number) => a <= b,
      gt: (a: number, b: number) => a > b,
      ge: (a: number, b: number) => a >= b,
    };
    const rules = Object.entries(plain).flatMap(([word, is]) => [
      { word, is: (a: number, b: number) => ordered(a, b) && is(a, b) },
      { word: `${word}u`, is: (a: number, b: number) => !ordered(a, b) || is(a, b) },
    ]);
    rules.push({ word: "num", is: ordered }, { word: "nan", is: (a, b) => !ordered(a, b) });
    const cases = pairs.map((row) => row.map(floatBits));
    const samples = rules.map(({ word }) => ({
      code: `setp.${word}.f32 $0, $1, $2;`,
      result: "pred" as const,
      sources: ["f32", "f32"] as const,
      cases,
    }));
    const results = runSamples(machine, samples);
    rules.forEach(({ word, is }, index) => {
      const wanted = pairs.map(([a, b]) => (is(a, b) ? 1n : 0n));
      expect(results[index], word).toEqual(wanted);
    });
  });

  it("of integers follow the type's sign, and lo, ls, hi, hs do not", () => {
    const cases = [-1n, 0n, 1n].flatMap((a) => [-1n, 0n, 1n].map((b) => [a, b]));
    const signed = cases.map(([a = 0n, b = 0n]) => (a < b ? 1n : 0n));
    const unsigned = cases.map(([a = 0n, b = 0n]) =>
      BigInt.asUintN(32, a) < BigInt.asUintN(32, b) ? 1n : 0n,
    );
    const [s32, u32, lo] = runSamples(
      machine,
      ["lt.s32", "lt.u32", "lo.u32"].map((type) => ({
        code: `setp.${type} $0, $1, $2;`,
        result: "pred" as const,
        sources: ["b32", "b32"] as const,
        cases,
      })),
    );
    expect([s32, u32, lo]).toEqual([signed, unsigned, unsigned]);
  });

  it("are combined with another, and both results are written", () => {
    const cases = [0n, 1n].flatMap((a) => [0n, 1n].map((b) => [a, 1n, b]));
    const run = (code: string) => ({
      code,
      result: "pred" as const,
      sources: ["b32", "b32", "pred"] as const,
      cases,
    });
    const [and, or, xor, negated, second] = runSamples(machine, [
      run("setp.eq.and.u32 $0, $1, $2, $3;"),
      run("setp.eq.or.u32 $0, $1, $2, $3;"),
      run("setp.eq.xor.u32 $0, $1, $2, $3;"),
      run("setp.eq.and.u32 $0, $1, $2, !$3;"),
      run("setp.eq.and.u32 %p7|$0, $1, $2, $3;"),
    ]);
    expect(and).toEqual([0n, 0n, 0n, 1n]);
    expect(or).toEqual([0n, 1n, 1n, 1n]);
    expect(xor).toEqual([0n, 1n, 1n, 0n]);
    expect(negated).toEqual([0n, 0n, 1n, 0n]);
    // The second is that of the opposite comparison.
    expect(second).toEqual([0n, 1n, 0n, 0n]);
  });

  it("guard instructions and select values", () => {
    const cases = [
      [0n, 7n, 9n],
      [1n, 7n, 9n],
    ];
    const sources = ["pred", "b32", "b32"] as const;
    const [selected, guarded, inverted, logic] = runSamples(machine, [
      { code: "selp.b32 $0, $2, $3, $1;", result: "b32", sources, cases },
      { code: "mov.u32 $0, $3; @$1 mov.u32 $0, $2;", result: "b32", sources, cases },
      { code: "mov.u32 $0, $3; @!$1 mov.u32 $0, $2;", result: "b32", sources, cases },
      {
        code: "not.pred %p6, $1; xor.pred %p7, %p6, $1; and.pred $0, %p7, $1;",
        result: "pred",
        sources,
        cases,
      },
    ]);
    expect([selected, guarded, inverted]).toEqual([
      [9n, 7n],
      [9n, 7n],
      [7n, 9n],
    ]);
    expect(logic).toEqual([0n, 1n]);
  });

  it("set and slct write numbers", () => {
    const cases = [
      [1n, 2n],
      [2n, 1n],
    ];
    const [mask, float, chosen] = runSamples(machine, [
      { code: "set.lt.u32.s32 $0, $1, $2;", result: "b32", sources: ["b32", "b32"], cases },
      { code: "set.lt.f32.s32 $0, $1, $2;", result: "f32", sources: ["b32", "b32"], cases },
      {
        code: "slct.b32.s32 $0, $1, $2, $3;",
        result: "b32",
        sources: ["b32", "b32", "b32"],
        cases: [
          [5n, 6n, 0n],
          [5n, 6n, -1n],
        ],
      },
    ]);
    expect([mask, float, chosen]).toEqual([
      [0xffffffffn, 0n],
      [floatBits(1), 0n],
      [5n, 6n],
    ]);
  });
});
