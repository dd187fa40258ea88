/** How values of one type are combined: expressions in CUDA C++, see reduce.cu. */
export interface Combination {
  readonly accumulator: "double" | "float" | "int";
  readonly initial: string;
  /** Of `total` and `value`. */
  readonly combine: string;
  /** Of `total` and `divisor`, the number of values. Default `total`. */
  readonly finish?: string;
}

/** A reduction: of float32 values, and of int32 and bool ones. */
export interface Reduction {
  readonly float?: Combination;
  readonly int?: Combination;
  /** Default: the dtype of the values. `number` makes bool int32. */
  readonly result?: "number" | "float32";
}

const sum = { initial: "0", combine: "total + value" } as const;
const product = { initial: "1", combine: "total * value" } as const;
// Of no values it is 0, as in tfjs.
const mean = { ...sum, accumulator: "double", finish: "divisor > 0 ? total / divisor : 0" } as const;
const most = "value > total || value != value ? value : total";
const least = "value < total || value != value ? value : total";

/** By the name of the tfjs kernel. Sums of floats are in double precision. */
export const REDUCTIONS: Readonly<Record<string, Reduction>> = {
  Sum: { float: { ...sum, accumulator: "double" }, int: { ...sum, accumulator: "int" }, result: "number" },
  Mean: { float: mean, int: mean, result: "float32" },
  Prod: {
    float: { ...product, accumulator: "double" },
    int: { ...product, accumulator: "int" },
    result: "number",
  },
  Max: {
    float: { accumulator: "float", initial: "__int_as_float(0xff800000)", combine: most },
    int: { accumulator: "int", initial: "(-2147483647 - 1)", combine: most },
  },
  Min: {
    float: { accumulator: "float", initial: "__int_as_float(0x7f800000)", combine: least },
    int: { accumulator: "int", initial: "2147483647", combine: least },
  },
  All: { int: { accumulator: "int", initial: "1", combine: "total && value" } },
  Any: { int: { accumulator: "int", initial: "0", combine: "total || value" } },
};
