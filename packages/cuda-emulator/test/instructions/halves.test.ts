import fc from "fast-check";
import { afterAll, beforeAll, describe, expect, it } from "vitest";

import { floatBits, floatOf, runSamples } from "../instruction.js";
import { Machine } from "../machine.js";

/** bf16 bits of a double, rounded once to the nearest even. */
function toBf16(x: number): bigint {
  return toHalf(x, { mantissa: 7, least: -126, most: 127 });
}

function toF16(x: number): bigint {
  return toHalf(x, { mantissa: 10, least: -14, most: 15 });
}

interface Format {
  readonly mantissa: number;
  /** Exponents of normal numbers. */
  readonly least: number;
  readonly most: number;
}

function toHalf(x: number, { mantissa, least, most }: Format): bigint {
  const sign = x < 0 || Object.is(x, -0) ? 0x8000n : 0n;
  const infinity = BigInt(2 * most + 1 - most + most) << BigInt(mantissa);
  if (Number.isNaN(x)) return 0x7fffn;
  if (!Number.isFinite(x)) return sign | infinity;
  const size = Math.abs(x);
  const exponent = Math.max(Math.floor(Math.log2(size)), least);
  const unit = 2 ** (exponent - mantissa);
  const floor = Math.floor(size / unit);
  const rest = size / unit - floor;
  const rounded = BigInt(rest > 0.5 || (rest === 0.5 && floor % 2 === 1) ? floor + 1 : floor);
  const bits = (BigInt(exponent - least) << BigInt(mantissa)) + rounded;
  return sign | (bits > infinity ? infinity : bits);
}

function fromBf16(bits: bigint): number {
  return floatOf((bits & 0xffffn) << 16n);
}

function fromF16(bits: bigint): number {
  const exponent = Number((bits >> 10n) & 31n);
  const mantissa = Number(bits & 1023n);
  const size =
    exponent === 31
      ? mantissa === 0
        ? Infinity
        : NaN
      : exponent === 0
        ? mantissa * 2 ** -24
        : (1024 + mantissa) * 2 ** (exponent - 25);
  return (bits & 0x8000n) === 0n ? size : -size;
}

const FORMATS = [
  { type: "bf16", to: toBf16, from: fromBf16 },
  { type: "f16", to: toF16, from: fromF16 },
] as const;

const OPERATIONS = [
  { name: "add.rn", count: 2, of: (a: number, b: number) => a + b },
  { name: "sub.rn", count: 2, of: (a: number, b: number) => a - b },
  { name: "mul.rn", count: 2, of: (a: number, b: number) => a * b },
  { name: "fma.rn", count: 3, of: (a: number, b: number, c: number) => a * b + c },
  { name: "fma.rn.relu", count: 3, of: (a: number, b: number, c: number) => Math.max(a * b + c, 0) },
  { name: "min", count: 2, of: Math.min },
  { name: "max", count: 2, of: Math.max },
  { name: "neg", count: 1, of: (a: number) => -a },
  { name: "abs", count: 1, of: Math.abs },
] as const;

/** Finite and in the middle of both ranges, so that doubles hold sums and products exactly. */
const moderate = fc.float({ min: -8, max: 8, noNaN: true }).filter((x) => x === 0 || Math.abs(x) > 1e-3);

describe.each(FORMATS)("$type instructions", ({ type, to, from }) => {
  let machine: Machine;
  beforeAll(async () => {
    machine = await Machine.start();
  });
  afterAll(() => machine.close());
  const same = (bits: bigint | undefined, wanted: bigint) => Number(from(bits ?? 0n)) === from(wanted);

  it("round once, alone and in pairs", () => {
    const cases = fc
      .sample(fc.tuple(moderate, moderate, moderate, moderate, moderate, moderate), { numRuns: 64, seed: 5 })
      .map((row) => row.map((x) => to(x)));
    const samples = OPERATIONS.flatMap(({ name, count }) => {
      const registers = Array.from({ length: count }, (_, index) => `$${index + 1}`).join(", ");
      const single = cases.map((row) => row.slice(0, count));
      const pairs = cases.map((row) =>
        row.slice(0, count).map((low, at) => low | ((row[at + 3] ?? 0n) << 16n)),
      );
      return [
        {
          code: `${name}.${type} $0, ${registers};`,
          result: "b16" as const,
          sources: Array(count).fill("b16"),
          cases: single,
        },
        {
          code: `${name}.${type}x2 $0, ${registers};`,
          result: "b32" as const,
          sources: Array(count).fill("b32"),
          cases: pairs,
        },
      ];
    });
    const results = runSamples(machine, samples);
    OPERATIONS.forEach(({ name, count, of }, index) => {
      cases.forEach((row, at) => {
        const compute = of as (...x: number[]) => number;
        const numbers = row.map(from);
        const [low, high] = [0, 3].map((begin) => to(compute(...numbers.slice(begin, begin + count)))) as [
          bigint,
          bigint,
        ];
        const [single, pair] = [results[2 * index]?.[at], results[2 * index + 1]?.[at] ?? 0n];
        expect(same(single, low), `${name} of ${numbers.join(", ")}`).toBe(true);
        expect(same(pair & 0xffffn, low) && same(pair >> 16n, high), `${name} of pairs`).toBe(true);
      });
    });
  });

  it("conversions", () => {
    const values = fc.sample(fc.oneof(fc.float(), moderate), { numRuns: 128, seed: 6 });
    const cases = values.map((x) => [floatBits(x)]);
    const pairs = values.map((x, index) => [floatBits(x), floatBits(values[127 - index] ?? 0)]);
    const halves = values.map((x) => [to(x)]);
    const [narrow = [], packed = [], wide = []] = runSamples(machine, [
      { code: `cvt.rn.${type}.f32 $0, $1;`, result: "b16", sources: ["f32"], cases },
      { code: `cvt.rn.${type}x2.f32 $0, $1, $2;`, result: "b32", sources: ["f32", "f32"], cases: pairs },
      { code: `cvt.f32.${type} $0, $1;`, result: "f32", sources: ["b16"], cases: halves },
    ]);
    values.forEach((x, index) => {
      expect(narrow[index], `of ${x}`).toBe(to(x));
      // The first operand goes to the upper half.
      expect(packed[index]).toBe((to(x) << 16n) | to(values[127 - index] ?? 0));
      expect(floatOf(wide[index] ?? 0n)).toBe(from(to(x)));
    });
  });

  it("comparisons", () => {
    const cases = [
      [1, 2],
      [2, 1],
      [1, 1],
      [NaN, 1],
    ].map((row) => row.map((x) => to(x)));
    const [less = [], differs = []] = runSamples(machine, [
      { code: `setp.lt.${type} $0, $1, $2;`, result: "pred", sources: ["b16", "b16"], cases },
      { code: `setp.neu.${type} $0, $1, $2;`, result: "pred", sources: ["b16", "b16"], cases },
    ]);
    expect(less).toEqual([1n, 0n, 0n, 0n]);
    expect(differs).toEqual([1n, 1n, 0n, 1n]);
  });
});

it("tf32 keeps ten bits of mantissa", async () => {
  const machine = await Machine.start();
  const values = [1 + 2 ** -10, 1 + 2 ** -11, 1 + 2 ** -12, -3.3, Infinity];
  const cases = values.map((x) => [floatBits(x)]);
  const [bits = []] = runSamples(machine, [
    { code: "cvt.rna.tf32.f32 $0, $1;", result: "b32", sources: ["f32"], cases },
  ]);
  expect(bits.map((each) => floatOf(each))).toEqual([1 + 2 ** -10, 1 + 2 ** -10, 1, -3.30078125, Infinity]);
  machine.close();
});
