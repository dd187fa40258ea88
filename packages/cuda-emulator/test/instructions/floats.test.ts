import fc from "fast-check";
import { afterAll, beforeAll, describe, expect, it } from "vitest";

import { doubleBits, floatBits, floatOf, type Kind, runSamples, type Sample } from "../instruction.js";
import { Machine } from "../machine.js";

/** A float instruction and what it computes, in double precision, before one rounding. */
interface Rule {
  readonly code: string;
  readonly result?: Kind;
  readonly sources: readonly Kind[];
  readonly expected: (...operands: number[]) => number;
  /** Largest relative error. 0 where the result is exact. */
  readonly error?: number;
}

const { fround } = Math;
const flush = (x: number) => (Math.abs(x) < 2 ** -126 ? 0 * x : x);
const saturate = (x: number) => (x > 0 ? Math.min(x, 1) : 0);
const toEven = (x: number) => {
  const floor = Math.floor(x);
  const rest = x - floor;
  const rounded = rest > 0.5 || (rest === 0.5 && floor % 2 !== 0) ? floor + 1 : floor;
  return rounded === 0 && (x < 0 || Object.is(x, -0)) ? -0 : rounded;
};
const clamp = (least: number, most: number) => (x: number) =>
  Number.isNaN(x) ? 0 : Math.min(Math.max(x, least), most);
const toS32 = clamp(-(2 ** 31), 2 ** 31 - 1);

/** The float below or equal to a double. */
function below(x: number): number {
  const near = fround(x);
  if (!(near > x)) return near;
  const view = new Int32Array(new Float32Array([near]).buffer);
  view[0] = near === 0 ? -2147483647 : (view[0] ?? 0) + (near > 0 ? -1 : 1);
  return new Float32Array(view.buffer)[0] ?? 0;
}
const above = (x: number) => -below(-x);

const two: readonly Kind[] = ["f32", "f32"];
const least = (a: number, b: number) => (Number.isNaN(a) ? b : Number.isNaN(b) ? a : Math.min(a, b));
const greatest = (a: number, b: number) => (Number.isNaN(a) ? b : Number.isNaN(b) ? a : Math.max(a, b));

const SINGLE: readonly Rule[] = [
  { code: "add.f32 $0, $1, $2;", sources: two, expected: (a, b) => a + b },
  {
    code: "add.rn.ftz.f32 $0, $1, $2;",
    sources: two,
    expected: (a, b) => flush(fround(flush(a) + flush(b))),
  },
  { code: "add.sat.f32 $0, $1, $2;", sources: two, expected: (a, b) => saturate(a + b) },
  { code: "sub.f32 $0, $1, $2;", sources: two, expected: (a, b) => a - b },
  { code: "mul.f32 $0, $1, $2;", sources: two, expected: (a, b) => a * b },
  { code: "mul.rm.f32 $0, $1, $2;", sources: two, expected: (a, b) => below(a * b) },
  { code: "mul.rp.f32 $0, $1, $2;", sources: two, expected: (a, b) => above(a * b) },
  {
    code: "mul.rz.f32 $0, $1, $2;",
    sources: two,
    expected: (a, b) => (a * b < 0 ? above(a * b) : below(a * b)),
  },
  { code: "div.rn.f32 $0, $1, $2;", sources: two, expected: (a, b) => a / b },
  { code: "div.full.f32 $0, $1, $2;", sources: two, expected: (a, b) => a / b, error: 2 ** -22 },
  {
    code: "div.approx.ftz.f32 $0, $1, $2;",
    sources: two,
    expected: (a, b) => flush(fround(flush(a) / flush(b))),
    error: 2 ** -22,
  },
  { code: "min.f32 $0, $1, $2;", sources: two, expected: least },
  { code: "max.f32 $0, $1, $2;", sources: two, expected: greatest },
  { code: "max.NaN.f32 $0, $1, $2;", sources: two, expected: Math.max },
  { code: "min.NaN.f32 $0, $1, $2;", sources: two, expected: Math.min },
  { code: "neg.f32 $0, $1;", sources: ["f32"], expected: (a) => -a },
  { code: "abs.f32 $0, $1;", sources: ["f32"], expected: Math.abs },
  { code: "sqrt.rn.f32 $0, $1;", sources: ["f32"], expected: Math.sqrt },
  { code: "sqrt.approx.f32 $0, $1;", sources: ["f32"], expected: Math.sqrt, error: 2 ** -22 },
  { code: "rsqrt.approx.f32 $0, $1;", sources: ["f32"], expected: (a) => 1 / Math.sqrt(a), error: 2 ** -22 },
  { code: "rcp.rn.f32 $0, $1;", sources: ["f32"], expected: (a) => 1 / a },
  {
    code: "rcp.approx.ftz.f32 $0, $1;",
    sources: ["f32"],
    expected: (a) => flush(fround(1 / flush(a))),
    error: 2 ** -22,
  },
  { code: "ex2.approx.f32 $0, $1;", sources: ["f32"], expected: (a) => 2 ** a, error: 2 ** -22 },
  {
    code: "ex2.approx.ftz.f32 $0, $1;",
    sources: ["f32"],
    expected: (a) => flush(fround(2 ** flush(a))),
    error: 2 ** -22,
  },
  { code: "lg2.approx.f32 $0, $1;", sources: ["f32"], expected: Math.log2, error: 2 ** -22 },
  { code: "tanh.approx.f32 $0, $1;", sources: ["f32"], expected: Math.tanh, error: 2 ** -11 },
  {
    code: "copysign.f32 $0, $1, $2;",
    sources: two,
    expected: (a, b) => (Object.is(Math.sign(a), -0) || a < 0 ? -Math.abs(b) : Math.abs(b)),
  },
  { code: "cvt.rni.f32.f32 $0, $1;", sources: ["f32"], expected: toEven },
  { code: "cvt.rzi.f32.f32 $0, $1;", sources: ["f32"], expected: Math.trunc },
  { code: "cvt.rmi.f32.f32 $0, $1;", sources: ["f32"], expected: Math.floor },
  { code: "cvt.rpi.f32.f32 $0, $1;", sources: ["f32"], expected: Math.ceil },
  { code: "cvt.sat.f32.f32 $0, $1;", sources: ["f32"], expected: saturate },
  { code: "cvt.rn.f32.f64 $0, $1;", sources: ["f64"], expected: (a) => a },
  { code: "cvt.rm.f32.f64 $0, $1;", sources: ["f64"], expected: below },
  { code: "cvt.rp.f32.f64 $0, $1;", sources: ["f64"], expected: above },
];

const DOUBLE: readonly Rule[] = [
  { code: "add.f64 $0, $1, $2;", sources: ["f64", "f64"], expected: (a, b) => a + b },
  { code: "sub.f64 $0, $1, $2;", sources: ["f64", "f64"], expected: (a, b) => a - b },
  { code: "mul.f64 $0, $1, $2;", sources: ["f64", "f64"], expected: (a, b) => a * b },
  { code: "div.rn.f64 $0, $1, $2;", sources: ["f64", "f64"], expected: (a, b) => a / b },
  { code: "sqrt.rn.f64 $0, $1;", sources: ["f64"], expected: Math.sqrt },
  { code: "neg.f64 $0, $1;", sources: ["f64"], expected: (a) => -a },
  { code: "abs.f64 $0, $1;", sources: ["f64"], expected: Math.abs },
  { code: "cvt.f64.f32 $0, $1;", sources: ["f32"], expected: (a) => a },
  { code: "cvt.rni.f64.f64 $0, $1;", sources: ["f64"], expected: toEven },
];

const INTEGER: readonly Rule[] = [
  { code: "cvt.rzi.s32.f32 $0, $1;", sources: ["f32"], expected: (a) => toS32(Math.trunc(a)) },
  { code: "cvt.rni.s32.f32 $0, $1;", sources: ["f32"], expected: (a) => toS32(toEven(a)) },
  { code: "cvt.rmi.s32.f32 $0, $1;", sources: ["f32"], expected: (a) => toS32(Math.floor(a)) },
  {
    code: "cvt.rzi.u32.f32 $0, $1;",
    sources: ["f32"],
    expected: (a) => clamp(0, 2 ** 32 - 1)(Math.trunc(a)),
  },
  { code: "cvt.rzi.s32.f64 $0, $1;", sources: ["f64"], expected: (a) => toS32(Math.trunc(a)) },
];

const EDGES = [
  0,
  -0,
  1,
  -1,
  0.5,
  1.5,
  2.5,
  -2.5,
  1e-40,
  -1e-40,
  3e38,
  -3e38,
  1e10,
  Infinity,
  -Infinity,
  NaN,
  2 ** 31,
  127,
];
const CASES = 128;
const singles = fc.oneof(
  fc.constantFrom(...EDGES.map(fround)),
  fc.float({ noDefaultInfinity: true, noNaN: true }),
  fc.float({ min: -100, max: 100 }),
);
const doubles = fc.oneof(
  fc.constantFrom(...EDGES),
  fc.double({ noDefaultInfinity: true, noNaN: true }),
  fc.double({ min: -100, max: 100 }),
);

const bitsOf = (kind: Kind, value: number) => (kind === "f64" ? doubleBits(value) : floatBits(value));

/** The number that a result's bits stand for. */
function resultOf(kind: Kind, bits: bigint): number {
  if (kind === "f32") return floatOf(bits);
  return kind === "f64" ? (new Float64Array(new BigUint64Array([bits]).buffer)[0] ?? 0) : Number(bits);
}

/** What a result holds of an exact value. */
function roundedTo(kind: Kind, exact: number): number {
  if (kind === "f32") return fround(exact);
  return kind === "f64" ? exact : Number(BigInt.asUintN(32, BigInt(exact)));
}

const RULES = [
  ...SINGLE.map((rule) => ({ ...rule, result: "f32" as Kind })),
  ...DOUBLE.map((rule) => ({ ...rule, result: "f64" as Kind })),
  ...INTEGER.map((rule) => ({ ...rule, result: "b32" as Kind })),
];

describe("float instructions", () => {
  let machine: Machine;
  let inputs: readonly (readonly (readonly number[])[])[];
  let results: readonly (readonly bigint[])[];
  beforeAll(async () => {
    machine = await Machine.start();
    inputs = RULES.map(({ sources }, index) =>
      fc
        .sample(fc.tuple(singles, singles, doubles, doubles), { numRuns: CASES, seed: index + 1 })
        .map((row) => sources.map((kind, at) => row[kind === "f64" ? at + 2 : at] ?? 0)),
    );
    const samples = RULES.map(
      (rule, index): Sample => ({
        ...rule,
        cases: (inputs[index] ?? []).map((row) =>
          row.map((value, at) => bitsOf(rule.sources[at] ?? "f32", value)),
        ),
      }),
    );
    results = runSamples(machine, samples);
  });
  afterAll(() => machine.close());

  it.each(RULES.map((rule, index) => ({ ...rule, index })))("$code", ({ index, ...rule }) => {
    (inputs[index] ?? []).forEach((row, at) => {
      const given = resultOf(rule.result, results[index]?.[at] ?? 0n);
      const wanted = roundedTo(rule.result, rule.expected(...row));
      const tolerance = (rule.error ?? 0) * Math.abs(wanted);
      const close = Number.isFinite(tolerance) && tolerance > 0 && Math.abs(given - wanted) <= tolerance;
      if (!close) expect(given, `of ${row.join(", ")}`).toBe(wanted);
    });
  });
});

describe("fused products", () => {
  let machine: Machine;
  beforeAll(async () => {
    machine = await Machine.start();
  });
  afterAll(() => machine.close());

  /** `x` as an integer times 2^-300. */
  const scaled = (x: number): bigint => {
    const bits = doubleBits(x);
    const exponent = Number((bits >> 52n) & 0x7ffn);
    const mantissa = (bits & (2n ** 52n - 1n)) | (exponent === 0 ? 0n : 2n ** 52n);
    const magnitude = mantissa << BigInt(Math.max(exponent, 1) - 1075 + 1200);
    return x < 0 ? -magnitude : magnitude;
  };

  it.each(["rm", "rp", "rz"] as const)("fma.%s.f32 rounds the exact sum to its side", (side) => {
    const finite = fc
      .float({ min: -1e4, max: 1e4, noNaN: true })
      .filter((x) => x === 0 || Math.abs(x) > 1e-4);
    const rows = fc.sample(fc.tuple(finite, finite, finite), { numRuns: 256, seed: 3 });
    const cases = rows.map((row) => row.map(floatBits));
    const [bits = []] = runSamples(machine, [
      { code: `fma.${side}.f32 $0, $1, $2, $3;`, result: "f32", sources: ["f32", "f32", "f32"], cases },
    ]);
    rows.forEach(([a, b, c], index) => {
      const given = floatOf(bits[index] ?? 0n);
      const exact = scaled(a * b) + scaled(c);
      const negative = exact < 0n;
      const isBelow = side === "rm" || (side === "rz" && !negative);
      const distance = (isBelow ? 1n : -1n) * (exact - scaled(given));
      expect(distance >= 0n, `${given} for ${a} * ${b} + ${c}`).toBe(true);
      const step = Math.max(Math.abs(given) * 2 ** -22, 2 ** -149);
      expect(distance < scaled(step)).toBe(true);
    });
  });

  it("fma.rn.f32 rounds once", () => {
    const a = 1 + 2 ** -12;
    const cases = [[floatBits(a), floatBits(a), floatBits(-(1 + 2 ** -11))]];
    const [bits = []] = runSamples(machine, [
      { code: "fma.rn.f32 $0, $1, $2, $3;", result: "f32", sources: ["f32", "f32", "f32"], cases },
    ]);
    expect(floatOf(bits[0] ?? 0n)).toBe(2 ** -24);
  });

  it("fma.rn.sat.f32 stays between 0 and 1", () => {
    const cases = [2, -2, 0.25, NaN].map((x) => [floatBits(x), floatBits(1), floatBits(0)]);
    const [bits = []] = runSamples(machine, [
      { code: "fma.rn.sat.f32 $0, $1, $2, $3;", result: "f32", sources: ["f32", "f32", "f32"], cases },
    ]);
    expect(bits.map((each) => floatOf(each))).toEqual([1, 0, 0.25, 0]);
  });
});
