import type { Instruction } from "../ptx/syntax.js";
import { bitsType, type ScalarType } from "../ptx/types.js";
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
import { applied } from "./integer.js";
import type { Scope } from "./scope.js";

/** Logic, shifts and bit fields. */

const LOGIC_TYPES: readonly ScalarType[] = ["pred", ...BITS];

function logic(sign: "&" | "|" | "^"): Emitter {
  return (instruction, scope) => {
    const type = new Modifiers(instruction, scope, []).typeIn(LOGIC_TYPES);
    const [a, b] = values(instruction, scope, [type, type]);
    const result = type === "pred" ? `(bool)(${a} ${sign} ${b})` : `${a} ${sign} ${b}`;
    return scope.assign(operand(instruction, 0, scope), type, result);
  };
}

function complement(instruction: Instruction, scope: Scope): string {
  const type = new Modifiers(instruction, scope, []).typeIn(LOGIC_TYPES);
  const [a] = values(instruction, scope, [type]);
  return scope.assign(operand(instruction, 0, scope), type, type === "pred" ? `!${a}` : `~${a}`);
}

/** `lop3.b32`: any function of three bits, as a table of 8. */
function logicOfThree(instruction: Instruction, scope: Scope): string {
  new Modifiers(instruction, scope, []).typeIn(["b32"]);
  const [a, b, c, table] = values(instruction, scope, ["u32", "u32", "u32", "u32"]);
  return scope.assign(operand(instruction, 0, scope), "u32", `logic_of_three(${a}, ${b}, ${c}, ${table})`);
}

/** `shf`: shifts 64 bits in two registers. */
function funnelShift(instruction: Instruction, scope: Scope): string {
  const modifiers = new Modifiers(instruction, scope, ["l", "r", "wrap", "clamp"]);
  modifiers.typeIn(["b32"]);
  const [low, high, by] = values(instruction, scope, ["u32", "u32", "u32"]);
  const direction = modifiers.has("l") ? "left" : "right";
  const call = `funnel_${direction}(${low}, ${high}, ${modifiers.has("clamp") ? `clamped_shift(${by})` : `${by} & 31`})`;
  return scope.assign(operand(instruction, 0, scope), "u32", call);
}

const PERMUTATIONS = ["f4e", "b4e", "rc8", "ecl", "ecr", "rc16"] as const;

/** `prmt.b32`: bytes of two registers in any order. */
function permutation(instruction: Instruction, scope: Scope): string {
  const modifiers = new Modifiers(instruction, scope, PERMUTATIONS);
  if (modifiers.one(PERMUTATIONS) !== undefined) unsupported(instruction, scope);
  modifiers.typeIn(["b32"]);
  const [a, b, selector] = values(instruction, scope, ["u32", "u32", "u32"]);
  return scope.assign(operand(instruction, 0, scope), "u32", `permuted(${a}, ${b}, ${selector})`);
}

const shiftTypes = (type: ScalarType): readonly ScalarType[] => [type, "u32"];

/** Fields are read as 32 or 64 bits, with the sign of the type. */
const FIELD_TYPES = INTEGERS.filter((type) => !type.endsWith("16"));

function insertField(instruction: Instruction, scope: Scope): string {
  const type = new Modifiers(instruction, scope, []).typeIn(["b32", "b64"]);
  const args = values(instruction, scope, [type, type, "u32", "u32"]);
  return scope.assign(
    operand(instruction, 0, scope),
    type,
    `insert_field<${bitsType(type)}>(${args.join(", ")})`,
  );
}

export const BIT_FAMILY: Family = {
  and: logic("&"),
  or: logic("|"),
  xor: logic("^"),
  not: complement,
  lop3: logicOfThree,
  shf: funnelShift,
  prmt: permutation,
  shl: applied("shift_left", BITS, shiftTypes),
  shr: applied("shift_right", [...BITS, ...INTEGERS], shiftTypes),
  bfe: applied("field", FIELD_TYPES, (type) => [type, "u32", "u32"]),
  bfi: insertField,
};
