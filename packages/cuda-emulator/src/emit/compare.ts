import type { Instruction, Operand } from "../ptx/syntax.js";
import { isFloat, isHalf, type ScalarType } from "../ptx/types.js";
import { type Family, Modifiers, operand, unsupported } from "./emitter.js";
import type { Scope } from "./scope.js";

/** Comparisons and selections. */

const SIGNS: Readonly<Record<string, string>> = {
  eq: "==",
  ne: "!=",
  lt: "<",
  le: "<=",
  gt: ">",
  ge: ">=",
  lo: "<",
  ls: "<=",
  hi: ">",
  hs: ">=",
};

const COMPARISONS = [...Object.keys(SIGNS), "equ", "neu", "ltu", "leu", "gtu", "geu", "num", "nan"];
const COMBINATIONS = { and: "&&", or: "||", xor: "!=" } as const;

/** A comparison. Those of floats without `u` are false where an operand is NaN. */
function comparison(word: string, type: ScalarType, [a, b]: readonly [string, string]): string {
  const ordered = `is_ordered(${a}, ${b})`;
  if (word === "num") return ordered;
  if (word === "nan") return `!${ordered}`;
  const unordered = word.length === 3;
  const plain = `(${a} ${SIGNS[word.slice(0, 2)]} ${b})`;
  if (!isFloat(type)) return plain;
  if (unordered) return `(!${ordered} || ${plain})`;
  return word === "ne" ? `(${ordered} && ${plain})` : plain;
}

function compared(source: Operand, type: ScalarType, scope: Scope, flush: boolean): string {
  if (isHalf(type)) return `${type}_value(${scope.bits(source, type)})`;
  const value = scope.value(source, type);
  return flush ? `flushed(${value})` : value;
}

interface Test {
  readonly condition: string;
  readonly combine: (result: string) => string;
}

/** What `setp` and `set` test, and how they join it with another predicate. */
function testOf(instruction: Instruction, scope: Scope, typeAt: number): Test {
  const modifiers = new Modifiers(instruction, scope, [...COMPARISONS, "and", "or", "xor", "ftz"]);
  const type = modifiers.types[typeAt];
  const word = modifiers.one(COMPARISONS);
  if (type === undefined || word === undefined || type.endsWith("x2")) return unsupported(instruction, scope);
  const flush = modifiers.has("ftz") && type === "f32";
  const [a, b] = [1, 2].map((index) => compared(operand(instruction, index, scope), type, scope, flush));
  const joined = modifiers.one(["and", "or", "xor"] as const);
  const combine = (result: string) =>
    joined === undefined
      ? result
      : `(${result} ${COMBINATIONS[joined]} ${scope.bits(operand(instruction, 3, scope), "pred")})`;
  return { condition: comparison(word, type, [a ?? "", b ?? ""]), combine };
}

function setPredicate(instruction: Instruction, scope: Scope): string {
  const { condition, combine } = testOf(instruction, scope, 0);
  const destination = operand(instruction, 0, scope);
  if (destination.kind !== "pair") return scope.assign(destination, "pred", combine(condition));
  // Both before either is written: a destination may be one of the sources.
  const writes = [
    scope.assign(destination.first, "pred", "yes"),
    scope.assign(destination.second, "pred", "no"),
  ];
  const results = `bool is = ${condition}, yes = ${combine("is")}, no = ${combine("!is")};`;
  return `{ ${results} ${writes.join(" ")} }`;
}

function set(instruction: Instruction, scope: Scope): string {
  const [type] = new Modifiers(instruction, scope, [...COMPARISONS, "and", "or", "xor", "ftz"]).types;
  const { condition, combine } = testOf(instruction, scope, 1);
  const destination = operand(instruction, 0, scope);
  if (type === "f32") return scope.assign(destination, "f32", `(${combine(condition)} ? 1.0f : 0.0f)`);
  if (type !== "u32" && type !== "s32") return unsupported(instruction, scope);
  return scope.assign(destination, "u32", `(${combine(condition)} ? ~0u : 0u)`);
}

function select(instruction: Instruction, scope: Scope): string {
  const { type } = new Modifiers(instruction, scope, []);
  const [a, b] = [1, 2].map((index) => scope.value(operand(instruction, index, scope), type));
  const condition = scope.bits(operand(instruction, 3, scope), "pred");
  return scope.assign(operand(instruction, 0, scope), type, `${condition} ? ${a} : ${b}`);
}

/** `slct`: by the sign of the last operand. */
function selectBySign(instruction: Instruction, scope: Scope): string {
  const modifiers = new Modifiers(instruction, scope, ["ftz"]);
  const [type, sign] = modifiers.types;
  if (type === undefined || (sign !== "s32" && sign !== "f32")) return unsupported(instruction, scope);
  const [a, b] = [1, 2].map((index) => scope.value(operand(instruction, index, scope), type));
  return scope.assign(
    operand(instruction, 0, scope),
    type,
    `${scope.value(operand(instruction, 3, scope), sign)} >= 0 ? ${a} : ${b}`,
  );
}

export const COMPARE: Family = { setp: setPredicate, set, selp: select, slct: selectBySign };
