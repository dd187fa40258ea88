import type { Instruction } from "../ptx/syntax.js";
import { type Family, Modifiers, operand, unsupported } from "./emitter.js";
import type { Scope } from "./scope.js";

/** Instructions in which the threads of a warp exchange values. */

const SHUFFLES = ["up", "down", "bfly", "idx"] as const;
const VOTES = ["ballot", "any", "all", "uni"] as const;
const REDUCTIONS = ["add", "min", "max", "and", "or", "xor"] as const;

function shuffle(instruction: Instruction, scope: Scope): string {
  const modifiers = new Modifiers(instruction, scope, ["sync", ...SHUFFLES]);
  const mode = modifiers.one(SHUFFLES);
  if (mode === undefined || !modifiers.has("sync")) return unsupported(instruction, scope);
  scope.cooperative = true;
  const [value, by, clamp, mask] = [1, 2, 3, 4].map((index) =>
    scope.bits(operand(instruction, index, scope), "u32"),
  );
  const destination = operand(instruction, 0, scope);
  const first = destination.kind === "pair" ? destination.first : destination;
  const inRange = destination.kind === "pair" ? scope.assign(destination.second, "pred", "got.in_range") : "";
  const call = `shuffle_${mode}(t, ${value}, ${by}, ${clamp}, ${mask})`;
  return `{ Shuffled got = ${call}; ${scope.assign(first, "b32", "got.value")} ${inRange} }`;
}

function vote(instruction: Instruction, scope: Scope): string {
  const modifiers = new Modifiers(instruction, scope, ["sync", ...VOTES]);
  const kind = modifiers.one(VOTES);
  if (kind === undefined || !modifiers.has("sync")) return unsupported(instruction, scope);
  scope.cooperative = true;
  const predicate = scope.bits(operand(instruction, 1, scope), "pred");
  const mask = scope.bits(operand(instruction, 2, scope), "u32");
  const result = { ballot: "yes", any: "yes != 0", all: "yes == among", uni: "yes == among || yes == 0" }[
    kind
  ];
  const write = scope.assign(operand(instruction, 0, scope), kind === "ballot" ? "u32" : "pred", result);
  return `{ u32 among = ${mask}, yes = ballot(t, ${predicate}, among); ${write} }`;
}

function match(instruction: Instruction, scope: Scope): string {
  const modifiers = new Modifiers(instruction, scope, ["any", "all", "sync"]);
  const type = modifiers.typeIn(["b32", "b64"]);
  scope.cooperative = true;
  const value = scope.bits(operand(instruction, 1, scope), type);
  const mask = scope.bits(operand(instruction, 2, scope), "u32");
  const destination = operand(instruction, 0, scope);
  const first = destination.kind === "pair" ? destination.first : destination;
  if (modifiers.has("any")) return scope.assign(first, "u32", `matching(t, ${value}, ${mask})`);
  const all = destination.kind === "pair" ? scope.assign(destination.second, "pred", "equal == among") : "";
  const write = scope.assign(first, "u32", "equal == among ? among : 0");
  return `{ u32 among = ${mask}, equal = matching(t, ${value}, among); ${write} ${all} }`;
}

function reduce(instruction: Instruction, scope: Scope): string {
  const modifiers = new Modifiers(instruction, scope, ["sync", ...REDUCTIONS]);
  const kind = modifiers.one(REDUCTIONS) ?? unsupported(instruction, scope);
  const type = modifiers.typeIn(["u32", "s32", "b32"]);
  scope.cooperative = true;
  const value = scope.value(operand(instruction, 1, scope), type);
  const mask = scope.bits(operand(instruction, 2, scope), "u32");
  const combine = {
    add: "(u32)a + (u32)b",
    min: "a < b ? a : b",
    max: "a > b ? a : b",
    and: "a & b",
    or: "a | b",
    xor: "a ^ b",
  }[kind];
  const cpp = type === "s32" ? "s32" : "u32";
  const lambda = `[](${cpp} a, ${cpp} b) -> ${cpp} { return ${combine}; }`;
  return scope.assign(
    operand(instruction, 0, scope),
    "b32",
    `reduced<${cpp}>(t, ${value}, ${mask}, ${lambda})`,
  );
}

/** `elect.sync`: the lowest lane of the mask. */
function elect(instruction: Instruction, scope: Scope): string {
  new Modifiers(instruction, scope, ["sync"]);
  scope.cooperative = true;
  const mask = scope.bits(operand(instruction, 1, scope), "u32");
  const destination = operand(instruction, 0, scope);
  if (destination.kind !== "pair") return unsupported(instruction, scope);
  const writes = [
    scope.assign(destination.first, "u32", "leader"),
    scope.assign(destination.second, "pred", "leader == t->lane"),
  ];
  return `{ u32 among = ${mask}; ballot(t, true, among); u32 leader = __builtin_ctz(among); ${writes.join(" ")} }`;
}

export const WARP: Family = { shfl: shuffle, vote, match, redux: reduce, elect };
