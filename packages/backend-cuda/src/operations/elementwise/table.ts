/** What an element-wise operation gives: a dtype, or that of its first input. */
export type Result = "float32" | "int32" | "bool" | "same";

/** An element-wise operation of one tensor: expressions in CUDA C++ of `x`. */
export interface UnaryOperation {
  /** Of a float `x`. */
  readonly float: string;
  /** Of an int `x`; without it, integers are converted to floats first. */
  readonly int?: string;
  readonly result?: Result;
  /** Attributes that the expressions know as `p0` and `p1`. */
  readonly parameters?: readonly string[];
}

/** An element-wise operation of two tensors that broadcast: expressions of `a` and `b`. */
export interface BinaryOperation {
  readonly float?: string;
  readonly int?: string;
  readonly result?: Result;
  /** Names of the inputs, where they are not `a` and `b`. */
  readonly inputs?: readonly [string, string];
}

const INFINITY = "__int_as_float(0x7f800000)";
const SELU_SCALE = "1.0507009873554805f";
const SELU_ALPHA = "1.7580993408473768f";

/** By the name of the tfjs kernel. NaN goes through, as in JavaScript. */
export const UNARY: Readonly<Record<string, UnaryOperation>> = {
  Abs: { float: "fabsf(x)", int: "abs(x)" },
  Acos: { float: "acosf(x)" },
  Acosh: { float: "acoshf(x)" },
  Asin: { float: "asinf(x)" },
  Asinh: { float: "asinhf(x)" },
  Atan: { float: "atanf(x)" },
  Atanh: { float: "atanhf(x)" },
  Ceil: { float: "ceilf(x)" },
  ClipByValue: {
    float: "x < p0 ? p0 : (x > p1 ? p1 : x)",
    int: "x < p0 ? to_int32(p0) : (x > p1 ? to_int32(p1) : x)",
    parameters: ["clipValueMin", "clipValueMax"],
  },
  Cos: { float: "cosf(x)" },
  Cosh: { float: "coshf(x)" },
  Elu: { float: "x < 0.0f ? expm1f(x) : x" },
  Erf: { float: "erff(x)" },
  Exp: { float: "expf(x)", result: "float32" },
  Expm1: { float: "expm1f(x)" },
  Floor: { float: "floorf(x)" },
  IsFinite: { float: `fabsf(x) < ${INFINITY}`, result: "bool" },
  IsInf: { float: `fabsf(x) == ${INFINITY}`, result: "bool" },
  IsNan: { float: "x != x", result: "bool" },
  LeakyRelu: { float: "x < 0.0f ? p0 * x : x", parameters: ["alpha"] },
  Log: { float: "logf(x)" },
  Log1p: { float: "log1pf(x)" },
  LogicalNot: { float: "x == 0.0f", int: "x == 0", result: "bool" },
  Neg: { float: "-x", int: "(int)(0u - (unsigned)x)" },
  Reciprocal: { float: "1.0f / x" },
  Relu: { float: "x < 0.0f ? 0.0f : x", int: "x < 0 ? 0 : x" },
  Relu6: { float: "x < 0.0f ? 0.0f : (x > 6.0f ? 6.0f : x)", int: "x < 0 ? 0 : (x > 6 ? 6 : x)" },
  Round: { float: "rintf(x)" },
  Rsqrt: { float: "rsqrtf(x)" },
  Selu: { float: `x < 0.0f ? ${SELU_ALPHA} * expm1f(x) : ${SELU_SCALE} * x` },
  Sigmoid: { float: "1.0f / (1.0f + expf(-x))" },
  Sign: { float: "x > 0.0f ? 1.0f : (x < 0.0f ? -1.0f : 0.0f)", int: "x > 0 ? 1 : (x < 0 ? -1 : 0)" },
  Sin: { float: "sinf(x)" },
  Sinh: { float: "sinhf(x)" },
  Softplus: { float: "x != x ? x : fmaxf(x, 0.0f) + log1pf(expf(-fabsf(x)))" },
  Sqrt: { float: "sqrtf(x)" },
  Square: { float: "x * x", int: "(int)((unsigned)x * (unsigned)x)" },
  Step: { float: "x > 0.0f ? 1.0f : (x != x ? x : p0)", parameters: ["alpha"] },
  Tan: { float: "tanf(x)" },
  Tanh: { float: "tanhf(x)" },
};

const LARGER = "a > b || a != a ? a : b";
const SMALLER = "a < b || a != a ? a : b";

/** By the name of the tfjs kernel. Integers wrap, and a division by 0 gives 0, as in JavaScript's typed arrays. */
export const BINARY: Readonly<Record<string, BinaryOperation>> = {
  Add: { float: "a + b", int: "(int)((unsigned)a + (unsigned)b)" },
  Atan2: { float: "atan2f(a, b)" },
  BitwiseAnd: { int: "a & b" },
  EluGrad: { float: "b >= 0.0f ? a : a * (b + 1.0f)", inputs: ["dy", "y"] },
  Equal: { float: "a == b", int: "a == b", result: "bool" },
  FloorDiv: { float: "to_int32(floor_quotient(a, b))", int: "floor_divide(a, b)", result: "int32" },
  Greater: { float: "a > b", int: "a > b", result: "bool" },
  GreaterEqual: { float: "a >= b", int: "a >= b", result: "bool" },
  Less: { float: "a < b", int: "a < b", result: "bool" },
  LessEqual: { float: "a <= b", int: "a <= b", result: "bool" },
  LogicalAnd: { int: "a && b", result: "bool" },
  LogicalOr: { int: "a || b", result: "bool" },
  Maximum: { float: LARGER, int: "a > b ? a : b" },
  Minimum: { float: SMALLER, int: "a < b ? a : b" },
  Mod: { float: "floor_modulo(a, b)", int: "floor_modulo(a, b)" },
  Multiply: { float: "a * b", int: "(int)((unsigned)a * (unsigned)b)" },
  NotEqual: { float: "a != b", int: "a != b", result: "bool" },
  Pow: { float: "powf(a, b)" },
  Prelu: { float: "a < 0.0f ? a * b : a", inputs: ["x", "alpha"] },
  RealDiv: { float: "a / b", int: "b == 0 ? 0 : (b == -1 ? (int)(0u - (unsigned)a) : a / b)" },
  SquaredDifference: {
    float: "(a - b) * (a - b)",
    int: "(int)(((unsigned)a - (unsigned)b) * ((unsigned)a - (unsigned)b))",
  },
  Sub: { float: "a - b", int: "(int)((unsigned)a - (unsigned)b)" },
};

/** Operations of activations and their gradients: with each other, and with numbers in float32, they have kernels for bfloat16. */
export const IN_BF16: readonly string[] = ["Add", "Multiply", "Sub"];
