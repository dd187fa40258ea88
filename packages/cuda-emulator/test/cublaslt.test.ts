import fc from "fast-check";
import koffi from "koffi";
import { afterAll, beforeAll, describe, expect, it } from "vitest";

import { buildFakeLibraries } from "../src/index.js";
import { Machine } from "./machine.js";

const PROTOTYPES = {
  create: "int cublasLtCreate(_Out_ uint64_t *handle)",
  describe: "int cublasLtMatmulDescCreate(_Out_ uint64_t *description, int compute, int scale)",
  setDescription:
    "int cublasLtMatmulDescSetAttribute(uint64_t description, int attribute, const void *value, size_t bytes)",
  layout:
    "int cublasLtMatrixLayoutCreate(_Out_ uint64_t *layout, int type, uint64_t rows, uint64_t columns, int64_t leading)",
  setLayout:
    "int cublasLtMatrixLayoutSetAttribute(uint64_t layout, int attribute, const void *value, size_t bytes)",
  prefer: "int cublasLtMatmulPreferenceCreate(_Out_ uint64_t *preference)",
  setPreference:
    "int cublasLtMatmulPreferenceSetAttribute(uint64_t preference, int attribute, const void *value, size_t bytes)",
  heuristic:
    "int cublasLtMatmulAlgoGetHeuristic(uint64_t handle, uint64_t description, uint64_t a, uint64_t b, uint64_t c, uint64_t d, uint64_t preference, int wanted, void *results, void *count)",
  multiply:
    "int cublasLtMatmul(uint64_t handle, uint64_t description, const float *alpha, uint64_t A, uint64_t a, uint64_t B, uint64_t b, const float *beta, uint64_t C, uint64_t c, uint64_t D, uint64_t d, const void *algorithm, uint64_t workspace, size_t bytes, uint64_t stream)",
} as const;

type Api = Readonly<Record<keyof typeof PROTOTYPES, (...args: unknown[]) => number>>;

/** Values of cublasLt.h. */
const F32 = 0;
const F16 = 2;
const BF16 = 14;
const COMPUTE_32F = 68;
const COMPUTE_TF32 = 77;
const INVALID_VALUE = 7;
const NOT_SUPPORTED = 15;
const EPILOGUES = { none: 1, relu: 2, bias: 4, gelu: 32, "gelu bias": 36 } as const;

/** A product of row-major matrices: left `[rows, depth]`, weight `[columns, depth]`, or their transposes. */
interface Shape {
  readonly rows: number;
  readonly columns: number;
  readonly depth: number;
  readonly batch: number;
  readonly leftTransposed: boolean;
  readonly weightTransposed: boolean;
}

describe("the stand-in for cuBLASLt", () => {
  let machine: Machine;
  let api: Api;
  let handle: bigint;
  beforeAll(async () => {
    const library = koffi.load((await buildFakeLibraries()).cublasLt);
    api = Object.fromEntries(
      Object.entries(PROTOTYPES).map(([name, prototype]) => [name, library.func(prototype)]),
    ) as unknown as Api;
    machine = await Machine.start();
    handle = made("create");
  });
  afterAll(() => machine.close());

  const made = (name: keyof Api, ...args: unknown[]): bigint => {
    const out = new BigUint64Array(1);
    expect(api[name](out, ...args)).toBe(0);
    return out[0] ?? 0n;
  };

  const layoutOf = (type: number, rows: number, columns: number, batch: number): bigint => {
    const layout = made("layout", type, rows, columns, rows);
    expect(api.setLayout(layout, 5, new Int32Array([batch]), 4)).toBe(0);
    expect(api.setLayout(layout, 6, new BigInt64Array([BigInt(rows * columns)]), 8)).toBe(0);
    return layout;
  };

  interface Plan {
    readonly type?: number;
    readonly result?: number;
    readonly compute?: number;
    readonly epilogue?: keyof typeof EPILOGUES;
    readonly bias?: bigint;
  }

  /** Column-major, a row-major matrix is its transpose: the library computes `resultᵀ = weight leftᵀ`. */
  const planOf = (
    shape: Shape,
    { type = F32, result = type, compute = COMPUTE_32F, epilogue = "none", bias = 0n }: Plan,
  ) => {
    const { rows, columns, depth, batch, leftTransposed, weightTransposed } = shape;
    const description = made("describe", compute, F32);
    api.setDescription(description, 3, new Int32Array([weightTransposed ? 0 : 1]), 4);
    api.setDescription(description, 4, new Int32Array([leftTransposed ? 1 : 0]), 4);
    api.setDescription(description, 7, new Int32Array([EPILOGUES[epilogue]]), 4);
    if (bias !== 0n) api.setDescription(description, 8, new BigUint64Array([bias]), 8);
    const weight = weightTransposed
      ? layoutOf(type, columns, depth, batch)
      : layoutOf(type, depth, columns, batch);
    const left = leftTransposed ? layoutOf(type, rows, depth, batch) : layoutOf(type, depth, rows, batch);
    return { description, weight, left, result: layoutOf(result, columns, rows, batch) };
  };

  interface Operands {
    readonly left: bigint;
    readonly weight: bigint;
    readonly result: bigint;
    readonly alpha?: number;
    readonly beta?: number;
  }

  const multiply = (
    plan: ReturnType<typeof planOf>,
    { left, weight, result, alpha = 1, beta = 0 }: Operands,
  ): number => {
    const factors = [new Float32Array([alpha]), new Float32Array([beta])];
    const args = [weight, plan.weight, left, plan.left, factors[1], result, plan.result, result, plan.result];
    return api.multiply(handle, plan.description, factors[0], ...args, null, 0n, 0, 0n);
  };

  const expected = (shape: Shape, left: ArrayLike<number>, weight: ArrayLike<number>): number[] => {
    const { rows, columns, depth, batch, leftTransposed, weightTransposed } = shape;
    return Array.from({ length: batch * rows * columns }, (_, index) => {
      const [b, row, column] = [
        Math.floor(index / rows / columns),
        Math.floor(index / columns) % rows,
        index % columns,
      ];
      let sum = 0;
      for (let k = 0; k < depth; k++) {
        const x = left[b * rows * depth + (leftTransposed ? k * rows + row : row * depth + k)] ?? 0;
        const w =
          weight[b * columns * depth + (weightTransposed ? k * columns + column : column * depth + k)] ?? 0;
        sum += x * w;
      }
      return sum;
    });
  };

  const numbers = (count: number, seed: number) =>
    new Float32Array(
      fc.sample(fc.integer({ min: -32, max: 32 }), { numRuns: count, seed }).map((x) => x / 16),
    );

  it("multiplies every layout and batch", () => {
    const size = fc.integer({ min: 1, max: 9 });
    const shapes = fc.record({
      rows: size,
      columns: size,
      depth: fc.integer({ min: 1, max: 40 }),
      batch: fc.integer({ min: 1, max: 3 }),
      leftTransposed: fc.boolean(),
      weightTransposed: fc.boolean(),
    });
    fc.assert(
      fc.property(shapes, (shape) => {
        const [left, weight] = [
          numbers(shape.batch * shape.rows * shape.depth, 1),
          numbers(shape.batch * shape.columns * shape.depth, 2),
        ];
        const result = new Float32Array(shape.batch * shape.rows * shape.columns).fill(1);
        const operands = {
          left: machine.put(left),
          weight: machine.put(weight),
          result: machine.put(result),
          alpha: 2,
          beta: 0.5,
        };
        expect(multiply(planOf(shape, {}), operands)).toBe(0);
        const sums = expected(shape, left, weight);
        expect([...machine.get(operands.result, result)]).toEqual(sums.map((sum) => 2 * sum + 0.5));
      }),
      { numRuns: 40 },
    );
  });

  const SQUARE: Shape = {
    rows: 4,
    columns: 4,
    depth: 8,
    batch: 1,
    leftTransposed: false,
    weightTransposed: false,
  };

  it("adds a bias by column, and applies relu and gelu", () => {
    const [left, weight, bias] = [numbers(32, 3), numbers(32, 4), numbers(4, 5)];
    const sums = expected(SQUARE, left, weight);
    const biased = sums.map((sum, index) => sum + (bias[index % 4] ?? 0));
    const gelu = (x: number) => 0.5 * x * (1 + Math.tanh(Math.sqrt(2 / Math.PI) * (x + 0.044715 * x ** 3)));
    const wanted = {
      none: sums,
      relu: sums.map((x) => Math.max(x, 0)),
      bias: biased,
      gelu: sums.map(gelu),
      "gelu bias": biased.map(gelu),
    };
    for (const epilogue of Object.keys(EPILOGUES) as (keyof typeof EPILOGUES)[]) {
      const operands = {
        left: machine.put(left),
        weight: machine.put(weight),
        result: machine.put(new Float32Array(16)),
      };
      expect(multiply(planOf(SQUARE, { epilogue, bias: machine.put(bias) }), operands)).toBe(0);
      machine.get(operands.result, new Float32Array(16)).forEach((value, index) => {
        expect(value, epilogue).toBeCloseTo(wanted[epilogue][index] ?? NaN, 5);
      });
    }
  });

  it.each([
    { name: "bf16", type: BF16, one: 0x3f80 },
    { name: "f16", type: F16, one: 0x3c00 },
  ])("takes $name, and gives it or f32", ({ type, one }) => {
    const ones = machine.put(new Uint16Array(32).fill(one));
    const single = machine.put(new Float32Array(16));
    const half = machine.put(new Uint16Array(16));
    expect(
      multiply(planOf(SQUARE, { type, result: F32 }), { left: ones, weight: ones, result: single }),
    ).toBe(0);
    expect(multiply(planOf(SQUARE, { type }), { left: ones, weight: ones, result: half })).toBe(0);
    expect([...machine.get(single, new Float32Array(16))]).toEqual(Array(16).fill(8));
    expect([...machine.get(half, new Uint16Array(16))]).toEqual(
      Array(16).fill(type === BF16 ? 0x4100 : 0x4800),
    );
  });

  it("rounds operands to ten bits of mantissa only for TF32", () => {
    const value = 1 + 2 ** -12;
    const shape: Shape = {
      rows: 1,
      columns: 1,
      depth: 1,
      batch: 1,
      leftTransposed: false,
      weightTransposed: false,
    };
    for (const [compute, wanted] of [
      [COMPUTE_32F, value],
      [COMPUTE_TF32, 1],
    ] as const) {
      const result = machine.put(new Float32Array(1));
      const operands = {
        left: machine.put(new Float32Array([value])),
        weight: machine.put(new Float32Array([1])),
        result,
      };
      expect(multiply(planOf(shape, { compute }), operands)).toBe(0);
      expect([...machine.get(result, new Float32Array(1))]).toEqual([wanted]);
    }
  });

  it("waits for its turn in the stream", () => {
    const plan = planOf(SQUARE, {});
    const left = machine.put(new Float32Array(32));
    const weight = machine.put(new Float32Array(32).fill(1));
    const result = machine.put(new Float32Array(16));
    machine.api.fill(left, 0x3f800000, 32, 0n);
    multiply(plan, { left, weight, result });
    machine.api.fill(left, 0, 32, 0n);
    expect([...machine.get(result, new Float32Array(16))]).toEqual(Array(16).fill(8));
  });

  it("chooses an algorithm within the workspace that it may use", () => {
    const plan = planOf(SQUARE, {});
    const preference = made("prefer");
    const workspaceFor = (bytes: bigint) => {
      expect(api.setPreference(preference, 1, new BigUint64Array([bytes]), 8)).toBe(0);
      const [results, count] = [new BigUint64Array(12), new Int32Array(1)];
      expect(
        api.heuristic(
          handle,
          plan.description,
          plan.weight,
          plan.left,
          plan.result,
          plan.result,
          preference,
          1,
          results,
          count,
        ),
      ).toBe(0);
      expect(count[0]).toBe(1);
      return results[8];
    };
    expect(workspaceFor(0n)).toBe(0n);
    expect(workspaceFor(2n ** 25n)).toBe(1024n);
  });

  it("refuses shapes that do not fit, sizes of attributes and what it does not know", () => {
    const plan = planOf(SQUARE, {});
    const other = planOf({ ...SQUARE, depth: 7 }, {});
    const zero = machine.put(new Float32Array(32));
    const operands = { left: zero, weight: zero, result: zero };
    expect(multiply({ ...plan, weight: other.weight }, operands)).toBe(INVALID_VALUE);
    expect(multiply({ ...plan, result: layoutOf(BF16, 4, 4, 1) }, operands)).toBe(NOT_SUPPORTED);
    expect(api.setDescription(plan.description, 3, new Int32Array(2), 8)).toBe(INVALID_VALUE);
    expect(api.setDescription(plan.description, 99, new Int32Array(1), 4)).toBe(NOT_SUPPORTED);
    expect(api.layout(new BigUint64Array(1), F32, 4, 4, 3)).toBe(INVALID_VALUE);
    expect(api.describe(new BigUint64Array(1), 64, F32)).toBe(NOT_SUPPORTED);
  });

  it("checks where operands are", () => {
    const operands = {
      left: machine.put(new Float32Array(31)),
      weight: machine.put(new Float32Array(32)),
      result: machine.put(new Float32Array(16)),
    };
    expect(multiply(planOf(SQUARE, {}), operands)).toBe(0);
    expect(machine.api.synchronize()).toBe(700);
    expect(machine.fake.lastFault()).toMatch(
      /^memcheck: operand B of a product has 128 bytes at 0x[0-9a-f]+, outside of every allocation \[cublasLtMatmul\]$/,
    );
    machine.fake.reset();
  });
});
