import type { Instruction, Operand } from "../ptx/syntax.js";
import { type Family, Modifiers, operand, unsupported } from "./emitter.js";
import { identifier, type Scope } from "./scope.js";

/** Branches, calls and barriers of a block. */

/** The C++ label of a PTX label. */
export function labelOf(name: string): string {
  return `at_${identifier(name)}`;
}

function branch(instruction: Instruction, scope: Scope): string {
  new Modifiers(instruction, scope, ["uni"]);
  const target = operand(instruction, 0, scope);
  return target.kind === "name" ? `goto ${labelOf(target.name)};` : unsupported(instruction, scope);
}

function trap(instruction: Instruction, scope: Scope): string {
  new Modifiers(instruction, scope, []);
  return `t->runtime->trap(t, "a ${instruction.opcode} instruction");`;
}

/** `call (result), function, (arguments)`: arguments are variables of the caller, passed by address. */
function call(instruction: Instruction, scope: Scope): string {
  new Modifiers(instruction, scope, ["uni"]);
  const parts = [...instruction.operands];
  const results = parts[0]?.kind === "list" ? elementsOf(parts.shift()) : [];
  const callee = parts.shift();
  const args = elementsOf(parts.shift());
  if (callee?.kind !== "name") return unsupported(instruction, scope);
  if (callee.name === "__assertfail") return 't->runtime->trap(t, "an assertion failed");';
  if (!scope.isFunction(callee.name))
    return scope.fail(`call of "${callee.name}", which the text does not define`);
  // The callee may wait for other threads or share memory.
  scope.cooperative = true;
  scope.shares = true;
  const addresses = [...results, ...args].map((each) => scope.bits(each, "u64"));
  return `f_${identifier(callee.name)}(${["t", ...addresses].join(", ")});`;
}

function elementsOf(list: Operand | undefined): readonly Operand[] {
  return list?.kind === "list" ? list.elements : [];
}

/** `bar.sync`, `bar.arrive`, `bar.red` and `bar.warp.sync`, also as `barrier`. */
function barrier(instruction: Instruction, scope: Scope): string {
  const modifiers = new Modifiers(instruction, scope, [
    "sync",
    "arrive",
    "red",
    "warp",
    "cta",
    "aligned",
    "popc",
    "and",
    "or",
  ]);
  scope.cooperative = true;
  const read = (index: number) => scope.bits(operand(instruction, index, scope), "u32");
  if (modifiers.has("warp")) return `t->runtime->sync_warp(t, ${read(0)});`;
  if (modifiers.has("red")) return barrierReduction(instruction, scope, modifiers);
  const threads = instruction.operands[1] === undefined ? "0" : read(1);
  return `t->runtime->barrier(t, ${read(0)}, ${threads}, ${modifiers.has("sync")});`;
}

/** Waits, and counts the threads whose predicate is true. */
function barrierReduction(instruction: Instruction, scope: Scope, modifiers: Modifiers): string {
  const { operands } = instruction;
  const predicate = scope.bits(operand(instruction, operands.length - 1, scope), "pred");
  const id = scope.bits(operand(instruction, 1, scope), "u32");
  const threads = operands.length > 3 ? scope.bits(operand(instruction, 2, scope), "u32") : "0";
  const kind = modifiers.one(["popc", "and", "or"] as const) ?? unsupported(instruction, scope);
  const result = { popc: "counted.yes", and: "counted.yes == counted.all", or: "counted.yes != 0" }[kind];
  const write = scope.assign(operand(instruction, 0, scope), kind === "popc" ? "u32" : "pred", result);
  return `{ Counted counted = t->runtime->barrier_count(t, ${id}, ${threads}, ${predicate}); ${write} }`;
}

export const CONTROL: Family = {
  bra: branch,
  ret: () => "return;",
  exit: () => "t->runtime->exit(t);",
  trap,
  brkpt: trap,
  call,
  bar: barrier,
  barrier,
  nanosleep: () => ";",
};
