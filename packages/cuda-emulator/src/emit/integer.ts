import type { Instruction } from "../ptx/syntax.js";
import { bitsType, bytesOf, isSigned, type ScalarType } from "../ptx/types.js";
import {
  BITS,
  type Emitter,
  type Family,
  INTEGERS,
  Modifiers,
  operand,
  unsupported,
  values,
} from "./emitter.js";
import type { Scope } from "./scope.js";

/** Integer arithmetic. Sums and products wrap around, so they are those of unsigned numbers. */

const unsignedOf = (type: ScalarType): ScalarType => bitsType(type) as ScalarType;

const wideOf = (type: ScalarType): ScalarType =>
  `${isSigned(type) ? "s" : "u"}${(bytesOf(type) * 16) as 16 | 32 | 64}`;

/** Sum and difference. */
export const addition =
  (sign: "+" | "-"): Emitter =>
  (instruction, scope) => {
    const modifiers = new Modifiers(instruction, scope, ["sat"]);
    const type = modifiers.typeIn(INTEGERS);
    const destination = operand(instruction, 0, scope);
    if (modifiers.has("sat")) {
      if (type !== "s32") unsupported(instruction, scope);
      const [a, b] = values(instruction, scope, ["s32", "s32"]);
      return scope.assign(destination, type, `clamped<s32>((s64)${a} ${sign} (s64)${b})`);
    }
    const unsigned = unsignedOf(type);
    const [a, b] = values(instruction, scope, [unsigned, unsigned]);
    return scope.assign(destination, unsigned, `${a} ${sign} ${b}`);
  };

/** `mul` and `mad`: the low half, the high half or the whole product. */
export const product =
  (accumulates: boolean): Emitter =>
  (instruction, scope) => {
    const modifiers = new Modifiers(instruction, scope, ["lo", "hi", "wide"]);
    const type = modifiers.typeIn(INTEGERS);
    const part = modifiers.one(["lo", "hi", "wide"]) ?? unsupported(instruction, scope);
    const destination = operand(instruction, 0, scope);
    const result = part === "wide" ? wideOf(type) : unsignedOf(type);
    const [a, b] = values(instruction, scope, part === "lo" ? [result, result] : [type, type]);
    const multiplied =
      part === "lo" ? `${a} * ${b}` : `(${bitsType(result)})multiply_${part}<${type}>(${a}, ${b})`;
    const sum = accumulates ? ` + ${scope.bits(operand(instruction, 3, scope), result)}` : "";
    return scope.assign(destination, unsignedOf(result), multiplied + sum);
  };

/** An operation whose C++ function has one template type and takes operands of given types. */
export function applied(
  name: string,
  types: readonly ScalarType[],
  operands: (type: ScalarType) => readonly ScalarType[],
  known: readonly string[] = [],
): Emitter {
  return (instruction, scope) => {
    const type = new Modifiers(instruction, scope, known).typeIn(types);
    const args = values(instruction, scope, operands(type));
    return scope.assign(operand(instruction, 0, scope), type, `${name}<${type}>(${args.join(", ")})`);
  };
}

/** As {@link applied}, for counts and positions: the result is 32 bits wide. */
function counted(name: string, types: readonly ScalarType[]): Emitter {
  return (instruction, scope) => {
    const type = new Modifiers(instruction, scope, []).typeIn(types);
    const [value] = values(instruction, scope, [type]);
    return scope.assign(operand(instruction, 0, scope), "u32", `${name}<${type}>(${value})`);
  };
}

const pair = (type: ScalarType) => [type, type] as const;
const single = (type: ScalarType) => [type] as const;

/** `bfind`: the highest bit that differs from the sign, or its distance to the top. */
function findBit(instruction: Instruction, scope: Scope): string {
  const modifiers = new Modifiers(instruction, scope, ["shiftamt"]);
  const type = modifiers.typeIn(INTEGERS);
  const [value] = values(instruction, scope, [type]);
  const shift = modifiers.has("shiftamt");
  return scope.assign(operand(instruction, 0, scope), "u32", `find_bit<${type}>(${value}, ${shift})`);
}

/** `dp4a.atype.btype`: four products of bytes, added to a 32-bit sum. */
function bytesProduct(instruction: Instruction, scope: Scope): string {
  const [left, right] = new Modifiers(instruction, scope, []).types;
  if (left === undefined || right === undefined) return unsupported(instruction, scope);
  const signed = isSigned(left) || isSigned(right);
  const [a, b, c] = values(instruction, scope, ["u32", "u32", signed ? "s32" : "u32"]);
  const call = `dot_bytes<${isSigned(left) ? "s8" : "u8"}, ${isSigned(right) ? "s8" : "u8"}>(${a}, ${b}, ${c})`;
  return scope.assign(operand(instruction, 0, scope), "u32", call);
}

export const INTEGER: Family = {
  div: applied("quotient", INTEGERS, pair),
  rem: applied("remainder", INTEGERS, pair),
  popc: counted("count_bits", BITS),
  clz: counted("leading_zeros", BITS),
  bfind: findBit,
  brev: applied("reversed", BITS, single),
  sad: applied("absolute_difference", INTEGERS, (type) => [type, type, type]),
  dp4a: bytesProduct,
};
