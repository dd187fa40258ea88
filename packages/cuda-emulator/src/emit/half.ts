import { bytesOf, isHalf, type ScalarType } from "../ptx/types.js";
import { type Emitter, type Family, HALVES, Modifiers, operand, unsupported } from "./emitter.js";

/** Arithmetic of f16 and bf16, alone and in pairs: each element in double precision, then rounded once. */

function elementwise(count: number, expression: string, known: readonly string[] = []): Emitter {
  return (instruction, scope) => {
    const modifiers = new Modifiers(instruction, scope, [
      "rn",
      "ftz",
      "sat",
      "relu",
      "NaN",
      "approx",
      ...known,
    ]);
    const type = modifiers.typeIn(HALVES);
    const args = Array.from({ length: count }, (_, index) =>
      scope.bits(operand(instruction, index + 1, scope), type),
    );
    let body = modifiers.has("NaN") ? expression.replace(/^(least|greatest)/, "$1_or_nan") : expression;
    if (modifiers.has("sat")) body = `saturated(${body})`;
    if (modifiers.has("relu")) body = `rectified(${body})`;
    const names = ["a", "b", "c"].slice(0, count).map((name) => `double ${name}`);
    const lambda = `[](${names.join(", ")}) { return ${body}; }`;
    const call = `each_${type}(${[lambda, ...args].join(", ")})`;
    return scope.assign(operand(instruction, 0, scope), bytesOf(type) === 4 ? "b32" : "b16", call);
  };
}

const HALF: Family = {
  add: elementwise(2, "a + b"),
  sub: elementwise(2, "a - b"),
  mul: elementwise(2, "a * b"),
  fma: elementwise(3, "a * b + c"),
  min: elementwise(2, "least(a, b)"),
  max: elementwise(2, "greatest(a, b)"),
  neg: elementwise(1, "-a"),
  abs: elementwise(1, "absolute(a)"),
  ex2: elementwise(1, "exp_two(a)"),
  tanh: elementwise(1, "hyperbolic_tangent(a)"),
};

/** Picks the emitter by the type that an instruction ends with. */
export function byType(opcode: string, integer: Emitter | undefined, float: Emitter): Emitter {
  return (instruction, scope) => {
    const type = instruction.modifiers.at(-1) as ScalarType | undefined;
    if (type === undefined) return unsupported(instruction, scope);
    if (isHalf(type)) return (HALF[opcode] ?? unsupported)(instruction, scope);
    if (type === "f32" || type === "f64") return float(instruction, scope);
    return (integer ?? unsupported)(instruction, scope);
  };
}
