import type { Instruction } from "../ptx/syntax.js";
import type { ScalarType } from "../ptx/types.js";
import { type Emitter, type Family, FLOATS, Modifiers, operand, ROUNDINGS, unsupported } from "./emitter.js";
import type { Scope } from "./scope.js";

/** Arithmetic of f32 and f64. */

const DIRECTIONS = { rz: "toward_zero", rm: "down", rp: "up" } as const;

/** Operands as values; with `.ftz`, subnormals are zeros. */
function inputs(
  instruction: Instruction,
  scope: Scope,
  { type, count, flush }: { type: ScalarType; count: number; flush: boolean },
): readonly string[] {
  return Array.from({ length: count }, (_, index) => {
    const value = scope.value(operand(instruction, index + 1, scope), type);
    return flush ? `flushed(${value})` : value;
  });
}

/** How an operation is written: as it rounds to the nearest, and toward a side where the emulator can. */
interface Operation {
  readonly count: number;
  readonly nearest: (args: readonly string[], type: ScalarType) => string;
  /** As one fused product and sum, which knows all roundings of f32. */
  readonly fused?: (args: readonly string[]) => string;
  readonly modifiers?: readonly string[];
}

function operation({ count, nearest, fused, modifiers: more = [] }: Operation): Emitter {
  return (instruction, scope) => {
    const modifiers = new Modifiers(instruction, scope, [...ROUNDINGS, "ftz", "sat", ...more]);
    const type = modifiers.typeIn(FLOATS);
    const flush = modifiers.has("ftz");
    const args = inputs(instruction, scope, { type, count, flush });
    const directed = modifiers.one(["rz", "rm", "rp"]);
    let result = nearest(args, type);
    if (directed !== undefined) {
      if (fused === undefined || type !== "f32") return unsupported(instruction, scope);
      result = `fused_${DIRECTIONS[directed]}(${fused(args)})`;
    }
    if (flush) result = `flushed(${result})`;
    if (modifiers.has("sat")) result = `saturated(${result})`;
    return scope.assign(operand(instruction, 0, scope), type, result);
  };
}

const call =
  (name: string) =>
  (args: readonly string[]): string =>
    `${name}(${args.join(", ")})`;

export const floatAdd = operation({
  count: 2,
  nearest: ([a, b]) => `${a} + ${b}`,
  fused: ([a, b]) => `${a}, 1.0f, ${b}`,
});

export const floatSubtract = operation({
  count: 2,
  nearest: ([a, b]) => `${a} - ${b}`,
  fused: ([a, b]) => `${a}, 1.0f, -(${b})`,
});

export const floatMultiply = operation({
  count: 2,
  nearest: ([a, b]) => `${a} * ${b}`,
  fused: ([a, b]) => `${a}, ${b}, -0.0f`,
});

export const floatFused = operation({
  count: 3,
  nearest: call("fused"),
  fused: (args) => args.join(", "),
});

/** `div`: `.full` and `.approx` divide exactly, which their error bounds allow. */
export const floatDivide = operation({
  count: 2,
  nearest: ([a, b]) => `${a} / ${b}`,
  modifiers: ["approx", "full"],
});

export const floatNegate = operation({ count: 1, nearest: ([a]) => `-(${a})` });
export const floatAbsolute = operation({ count: 1, nearest: call("absolute") });

/** `min` and `max`: a number wins over NaN, unless `.NaN` asks for it. */
export const floatExtreme =
  (name: "least" | "greatest"): Emitter =>
  (instruction, scope) => {
    const modifiers = new Modifiers(instruction, scope, ["ftz", "NaN", "xorsign", "abs"]);
    if (modifiers.has("xorsign") || modifiers.has("abs")) unsupported(instruction, scope);
    const type = modifiers.typeIn(FLOATS);
    const args = inputs(instruction, scope, { type, count: 2, flush: modifiers.has("ftz") });
    const suffix = modifiers.has("NaN") ? "_or_nan" : "";
    return scope.assign(operand(instruction, 0, scope), type, `${name}${suffix}(${args.join(", ")})`);
  };

/** Functions of the special function unit. They are computed to the last place here, on a GPU to about 2 places. */
const special = (name: string): Emitter =>
  operation({ count: 1, nearest: call(name), modifiers: ["approx"] });

export const FLOAT: Family = {
  rcp: operation({
    count: 1,
    nearest: ([a], type) => `(${type === "f32" ? "1.0f" : "1.0"} / ${a})`,
    modifiers: ["approx"],
  }),
  sqrt: special("square_root"),
  rsqrt: special("reciprocal_root"),
  sin: special("sine"),
  cos: special("cosine"),
  lg2: special("log_two"),
  copysign: (instruction, scope) => {
    const type = new Modifiers(instruction, scope, []).typeIn(FLOATS);
    const [sign = "", magnitude = ""] = inputs(instruction, scope, { type, count: 2, flush: false });
    return scope.assign(operand(instruction, 0, scope), type, `with_sign(${magnitude}, ${sign})`);
  },
  testp: (instruction, scope) => {
    const kinds = ["finite", "infinite", "number", "notanumber", "normal", "subnormal"] as const;
    const modifiers = new Modifiers(instruction, scope, kinds);
    const kind = modifiers.one(kinds) ?? unsupported(instruction, scope);
    const type = modifiers.typeIn(FLOATS);
    const [value = ""] = inputs(instruction, scope, { type, count: 1, flush: false });
    return scope.assign(operand(instruction, 0, scope), "pred", `is_${kind}(${value})`);
  },
};

/** `ex2` and `tanh` of f32. */
export const floatExponential = special("exp_two");
export const floatTanh = special("hyperbolic_tangent");
