import type { Instruction } from "../ptx/syntax.js";
import { bitsType, bytesOf, isHalf, type ScalarType } from "../ptx/types.js";
import { type Family, Modifiers, operand, unsupported } from "./emitter.js";
import type { Scope } from "./scope.js";

/** `atom` and `red`. */

const SPACES = ["global", "shared", "shared::cta"] as const;
const ORDERS = ["relaxed", "acquire", "release", "acq_rel", "cta", "gpu", "sys", "noftz"];
const OPERATIONS = ["add", "min", "max", "and", "or", "xor", "exch", "cas", "inc", "dec"] as const;

/** What an operation stores, of the old value `a` and the operand `b`. */
const STORED = {
  add: "a + b",
  min: "b < a ? b : a",
  max: "b > a ? b : a",
  and: "a & b",
  or: "a | b",
  xor: "a ^ b",
  exch: "b",
  inc: "a >= b ? 0 : a + 1",
  dec: "a == 0 || a > b ? b : a - 1",
} as const;

function atomic(instruction: Instruction, scope: Scope): string {
  const modifiers = new Modifiers(instruction, scope, [...SPACES, ...ORDERS, ...OPERATIONS]);
  const { type } = modifiers;
  const name = modifiers.one(OPERATIONS) ?? unsupported(instruction, scope);
  const space = modifiers.one(SPACES);
  if (space !== "shared" && space !== "shared::cta") scope.shares = true;
  // A reduction has no destination.
  const at = instruction.opcode === "red" ? 0 : 1;
  const address = scope.address(operand(instruction, at, scope));
  const memory = space === undefined ? "generic" : space.slice(0, 6);
  const pointer = `sharing_${memory}<${bytesOf(type)}>(t, ${address})`;
  const read = isHalf(type) ? bitsType(type) : cppType(type);
  const argument = (index: number) =>
    isHalf(type)
      ? scope.bits(operand(instruction, index, scope), type)
      : scope.value(operand(instruction, index, scope), type);
  const stored =
    name === "cas"
      ? `old == ${argument(at + 1)} ? ${argument(at + 2)} : old`
      : computed(name, { type, operand: argument(at + 1) });
  const destination =
    at === 1 ? scope.assign(operand(instruction, 0, scope), isHalf(type) ? halfBits(type) : type, "old") : "";
  return `{ u8* at = ${pointer}; ${read} old = read<${read}>(at); write<${read}>(at, ${stored}); ${destination} }`;
}

function cppType(type: ScalarType): string {
  return type === "f32" ? "float" : type === "f64" ? "double" : type.replace("b", "u");
}

function halfBits(type: ScalarType): ScalarType {
  return bytesOf(type) === 4 ? "b32" : "b16";
}

function computed(
  name: keyof typeof STORED,
  { type, operand: value }: { type: ScalarType; operand: string },
): string {
  if (isHalf(type)) return `each_${type}([](double a, double b) { return ${STORED[name]}; }, old, ${value})`;
  const cpp = cppType(type);
  return `[](${cpp} a, ${cpp} b) -> ${cpp} { return ${STORED[name]}; }(old, ${value})`;
}

export const ATOMIC: Family = { atom: atomic, red: atomic };
