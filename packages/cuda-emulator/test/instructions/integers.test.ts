import fc from "fast-check";
import { afterAll, beforeAll, describe, expect, it } from "vitest";

import { type Kind, runSamples, type Sample } from "../instruction.js";
import { Machine } from "../machine.js";

/** An integer instruction and what it computes, on numbers of the sign and width of its operands. */
interface Rule {
  readonly code: string;
  /** Width of the result. */
  readonly result: Kind;
  /** Types of the operands: s32, u64, ... */
  readonly sources: readonly string[];
  readonly expected: (...operands: bigint[]) => bigint;
}

const widthOf = (type: string): number => Number(type.slice(1));
const isSigned = (type: string): boolean => type.startsWith("s");
const read = (type: string, bits: bigint): bigint =>
  isSigned(type) ? BigInt.asIntN(widthOf(type), bits) : BigInt.asUintN(widthOf(type), bits);

const smaller = (a: bigint, b: bigint): bigint => (a - b < 0n ? a : b);
const absolute = (x: bigint): bigint => (x < 0n ? -x : x);
const low = (count: bigint): bigint => (1n << count) - 1n;
const clampTo32 = (x: bigint): bigint =>
  x < -(2n ** 31n) ? -(2n ** 31n) : x > 2n ** 31n - 1n ? 2n ** 31n - 1n : x;
const bitsOf = (x: bigint, width: number): string =>
  BigInt.asUintN(width, x).toString(2).padStart(width, "0");

/** Rules that hold for every width and sign. */
function arithmeticOf(type: string): readonly Rule[] {
  const result = `b${widthOf(type)}` as Kind;
  const two = [type, type];
  const quotient = (a: bigint, b: bigint) => (b === 0n ? -1n : a / b);
  return [
    { code: `add.${type} $0, $1, $2;`, result, sources: two, expected: (a, b) => a + b },
    { code: `sub.${type} $0, $1, $2;`, result, sources: two, expected: (a, b) => a - b },
    { code: `mul.lo.${type} $0, $1, $2;`, result, sources: two, expected: (a, b) => a * b },
    {
      code: `mul.hi.${type} $0, $1, $2;`,
      result,
      sources: two,
      expected: (a, b) => (a * b) >> BigInt(widthOf(type)),
    },
    {
      code: `mad.lo.${type} $0, $1, $2, $3;`,
      result,
      sources: [...two, type],
      expected: (a, b, c) => a * b + c,
    },
    { code: `div.${type} $0, $1, $2;`, result, sources: two, expected: quotient },
    { code: `rem.${type} $0, $1, $2;`, result, sources: two, expected: (a, b) => (b === 0n ? a : a % b) },
    { code: `min.${type} $0, $1, $2;`, result, sources: two, expected: smaller },
    { code: `max.${type} $0, $1, $2;`, result, sources: two, expected: (a, b) => a + b - smaller(a, b) },
    {
      code: `sad.${type} $0, $1, $2, $3;`,
      result,
      sources: [...two, type],
      expected: (a, b, c) => absolute(a - b) + c,
    },
    {
      code: `shr.${type} $0, $1, $2;`,
      result,
      sources: [type, "u32"],
      expected: (a, by) => a >> (by > 64n ? 64n : by),
    },
  ];
}

function signedOf(type: string): readonly Rule[] {
  const result = `b${widthOf(type)}` as Kind;
  return [
    { code: `neg.${type} $0, $1;`, result, sources: [type], expected: (a) => -a },
    { code: `abs.${type} $0, $1;`, result, sources: [type], expected: absolute },
  ];
}

function wideOf(type: string): readonly Rule[] {
  const result = `b${widthOf(type) * 2}` as Kind;
  const wide = `${type[0]}${widthOf(type) * 2}`;
  return [
    { code: `mul.wide.${type} $0, $1, $2;`, result, sources: [type, type], expected: (a, b) => a * b },
    {
      code: `mad.wide.${type} $0, $1, $2, $3;`,
      result,
      sources: [type, type, wide],
      expected: (a, b, c) => a * b + c,
    },
  ];
}

/** Bits [at, at + length), with copies of the sign above. */
function field(type: string): (a: bigint, at: bigint, length: bigint) => bigint {
  return (a, at, length) => {
    const [from, count] = [at & 255n, length & 255n];
    const part = (a >> from) & low(count);
    const width = BigInt(widthOf(type));
    const top = from + count - 1n < width - 1n ? from + count - 1n : width - 1n;
    const negative = isSigned(type) && count > 0n && ((BigInt.asUintN(Number(width), a) >> top) & 1n) === 1n;
    const kept = top < from ? 0n : top - from;
    return negative ? part | ~low(kept) : part;
  };
}

function bitsRulesOf(width: 32 | 64): readonly Rule[] {
  const result = `b${width}` as Kind;
  const type = `u${width}`;
  const count = (a: bigint, digit: string) =>
    BigInt([...bitsOf(a, width)].filter((each) => each === digit).length);
  const insert = (from: bigint, into: bigint, at: bigint, length: bigint) => {
    const mask = BigInt.asUintN(width, low(length & 255n) << (at & 255n));
    return (into & ~mask) | ((from << (at & 255n)) & mask);
  };
  return [
    { code: `and.b${width} $0, $1, $2;`, result, sources: [type, type], expected: (a, b) => a & b },
    { code: `or.b${width} $0, $1, $2;`, result, sources: [type, type], expected: (a, b) => a | b },
    { code: `xor.b${width} $0, $1, $2;`, result, sources: [type, type], expected: (a, b) => a ^ b },
    { code: `not.b${width} $0, $1;`, result, sources: [type], expected: (a) => ~a },
    {
      code: `shl.b${width} $0, $1, $2;`,
      result,
      sources: [type, "u32"],
      expected: (a, by) => (by > 64n ? 0n : a << by),
    },
    { code: `popc.b${width} $0, $1;`, result: "b32", sources: [type], expected: (a) => count(a, "1") },
    {
      code: `clz.b${width} $0, $1;`,
      result: "b32",
      sources: [type],
      expected: (a) => BigInt(bitsOf(a, width).replace(/1.*/, "").length),
    },
    {
      code: `brev.b${width} $0, $1;`,
      result,
      sources: [type],
      expected: (a) => BigInt(`0b${[...bitsOf(a, width)].reverse().join("")}`),
    },
    { code: `bfe.u${width} $0, $1, $2, $3;`, result, sources: [type, "u8", "u8"], expected: field(type) },
    {
      code: `bfe.s${width} $0, $1, $2, $3;`,
      result,
      sources: [`s${width}`, "u8", "u8"],
      expected: field(`s${width}`),
    },
    {
      code: `bfi.b${width} $0, $1, $2, $3, $4;`,
      result,
      sources: [type, type, "u8", "u8"],
      expected: insert,
    },
  ];
}

const top = (type: string) => (a: bigint) => {
  const bits = bitsOf(isSigned(type) && a < 0n ? ~a : a, widthOf(type));
  return bits.includes("1") ? BigInt(widthOf(type) - 1 - bits.indexOf("1")) : -1n;
};

const dot = (a: bigint, b: bigint, c: bigint, signed: boolean) =>
  [0n, 8n, 16n, 24n].reduce((sum, at) => {
    const bytes = [a, b].map((each) => (signed ? BigInt.asIntN(8, each >> at) : (each >> at) & 255n));
    return sum + (bytes[0] ?? 0n) * (bytes[1] ?? 0n);
  }, c);

const permuted = (a: bigint, b: bigint, selector: bigint) =>
  [0n, 1n, 2n, 3n].reduce((result, index) => {
    const choice = (selector >> (4n * index)) & 15n;
    const byte = (((b << 32n) | a) >> (8n * (choice & 7n))) & 255n;
    const value = (choice & 8n) === 0n ? byte : byte >> 7n === 1n ? 255n : 0n;
    return result | (value << (8n * index));
  }, 0n);

/** 0xE8 is the majority of three bits, 0x1B picks b or c by a, inverted. */
const SPECIAL: readonly Rule[] = [
  {
    code: "lop3.b32 $0, $1, $2, $3, 0xE8;",
    result: "b32",
    sources: ["u32", "u32", "u32"],
    expected: (a, b, c) => (a & b) | (a & c) | (b & c),
  },
  {
    code: "lop3.b32 $0, $1, $2, $3, 0xCA;",
    result: "b32",
    sources: ["u32", "u32", "u32"],
    expected: (a, b, c) => (a & b) | (~a & c),
  },
  {
    code: "shf.l.wrap.b32 $0, $1, $2, $3;",
    result: "b32",
    sources: ["u32", "u32", "u32"],
    expected: (a, b, by) => (((b << 32n) | a) << (by & 31n)) >> 32n,
  },
  {
    code: "shf.r.wrap.b32 $0, $1, $2, $3;",
    result: "b32",
    sources: ["u32", "u32", "u32"],
    expected: (a, b, by) => ((b << 32n) | a) >> (by & 31n),
  },
  {
    code: "shf.l.clamp.b32 $0, $1, $2, $3;",
    result: "b32",
    sources: ["u32", "u32", "u8"],
    expected: (a, b, by) => (((b << 32n) | a) << (by > 32n ? 32n : by)) >> 32n,
  },
  {
    code: "shf.r.clamp.b32 $0, $1, $2, $3;",
    result: "b32",
    sources: ["u32", "u32", "u8"],
    expected: (a, b, by) => ((b << 32n) | a) >> (by > 32n ? 32n : by),
  },
  { code: "prmt.b32 $0, $1, $2, $3;", result: "b32", sources: ["u32", "u32", "u32"], expected: permuted },
  { code: "bfind.u32 $0, $1;", result: "b32", sources: ["u32"], expected: top("u32") },
  { code: "bfind.s64 $0, $1;", result: "b32", sources: ["s64"], expected: top("s64") },
  {
    code: "bfind.shiftamt.u32 $0, $1;",
    result: "b32",
    sources: ["u32"],
    expected: (a) => (a === 0n ? -1n : 31n - top("u32")(a)),
  },
  {
    code: "dp4a.s32.s32 $0, $1, $2, $3;",
    result: "b32",
    sources: ["u32", "u32", "s32"],
    expected: (a, b, c) => dot(a, b, c, true),
  },
  {
    code: "dp4a.u32.u32 $0, $1, $2, $3;",
    result: "b32",
    sources: ["u32", "u32", "u32"],
    expected: (a, b, c) => dot(a, b, c, false),
  },
  {
    code: "add.sat.s32 $0, $1, $2;",
    result: "b32",
    sources: ["s32", "s32"],
    expected: (a, b) => clampTo32(a + b),
  },
  {
    code: "sub.sat.s32 $0, $1, $2;",
    result: "b32",
    sources: ["s32", "s32"],
    expected: (a, b) => clampTo32(a - b),
  },
  { code: "cvt.s32.s8 $0, $1;", result: "b32", sources: ["s8"], expected: (a) => a },
  { code: "cvt.u32.u8 $0, $1;", result: "b32", sources: ["u8"], expected: (a) => a },
  { code: "cvt.s64.s32 $0, $1;", result: "b64", sources: ["s32"], expected: (a) => a },
  { code: "cvt.u64.u32 $0, $1;", result: "b64", sources: ["u32"], expected: (a) => a },
  { code: "cvt.u32.u64 $0, $1;", result: "b32", sources: ["u64"], expected: (a) => a },
  { code: "cvt.s16.s32 $0, $1;", result: "b16", sources: ["s32"], expected: (a) => a },
  { code: "cvt.sat.s32.s64 $0, $1;", result: "b32", sources: ["s64"], expected: clampTo32 },
];

const RULES: readonly Rule[] = [
  ...["u16", "s16", "u32", "s32", "u64", "s64"].flatMap(arithmeticOf),
  ...["s16", "s32", "s64"].flatMap(signedOf),
  ...["u16", "s16", "u32", "s32"].flatMap(wideOf),
  ...bitsRulesOf(32),
  ...bitsRulesOf(64),
  ...SPECIAL,
];

const EDGES = [
  0n,
  1n,
  2n,
  -1n,
  31n,
  32n,
  33n,
  64n,
  2n ** 31n,
  2n ** 31n - 1n,
  2n ** 32n - 1n,
  2n ** 63n,
  2n ** 15n,
];
const CASES = 128;

/** Registers hold 8-bit values in 16 or 32 bits. */
const kindOf = (rule: Rule, type: string): Kind =>
  type.endsWith("8") ? (rule.code.startsWith("cvt") ? "b16" : "b32") : (`b${type.slice(1)}` as Kind);

const operands = fc.oneof(fc.constantFrom(...EDGES), fc.bigInt({ min: 0n, max: 2n ** 64n - 1n }));

describe("integer instructions", () => {
  let machine: Machine;
  let samples: readonly Sample[];
  let results: readonly (readonly bigint[])[];
  beforeAll(async () => {
    machine = await Machine.start();
    samples = RULES.map((rule, index) => {
      const values = fc.sample(fc.tuple(operands, operands, operands, operands), {
        numRuns: CASES,
        seed: index + 1,
      });
      const cases = values.map((row) =>
        rule.sources.map((type, at) => BigInt.asUintN(widthOf(type), row[at] ?? 0n)),
      );
      return {
        code: rule.code,
        result: rule.result,
        sources: rule.sources.map((type) => kindOf(rule, type)),
        cases,
      };
    });
    results = runSamples(machine, samples);
  });
  afterAll(() => machine.close());

  it.each(RULES.map((rule, index) => ({ ...rule, index })))(
    "$code",
    ({ index, sources, result, expected }) => {
      const width = Number(result.slice(1));
      const cases = samples[index]?.cases ?? [];
      const wanted = cases.map((row) =>
        BigInt.asUintN(width, expected(...row.map((bits, at) => read(sources[at] ?? "", bits)))),
      );
      expect(results[index]?.map((bits) => BigInt.asUintN(width, bits))).toEqual(wanted);
    },
  );
});
