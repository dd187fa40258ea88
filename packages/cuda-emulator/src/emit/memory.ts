import type { Instruction, Operand } from "../ptx/syntax.js";
import { bytesOf, type ScalarType, valueType } from "../ptx/types.js";
import { type Family, Modifiers, operand, unsupported } from "./emitter.js";
import type { Scope } from "./scope.js";

/** Loads, stores and copies. */

const SPACES = ["global", "shared", "shared::cta", "local", "param", "const"] as const;
const VECTORS = ["v2", "v4"] as const;
/** Say how caches and other threads see an access, which changes nothing here. */
const HINTS = [
  "nc",
  "ca",
  "cg",
  "cs",
  "lu",
  "cv",
  "wb",
  "wt",
  "volatile",
  "weak",
  "relaxed",
  "acquire",
  "release",
  "cta",
  "gpu",
  "sys",
  "L1::evict_normal",
  "L1::evict_first",
  "L1::evict_last",
  "L1::no_allocate",
  "L2::64B",
  "L2::128B",
  "L2::256B",
] as const;

/** Which memory of the C++ runtime an access goes to. */
function spaceOf(modifiers: Modifiers): "global" | "shared" | "thread" | "generic" {
  const space = modifiers.one(SPACES);
  if (space === undefined) return "generic";
  if (space === "global") return "global";
  return space.startsWith("shared") ? "shared" : "thread";
}

interface Access {
  readonly modifiers: Modifiers;
  readonly type: ScalarType;
  readonly elements: readonly Operand[];
}

function accessOf(instruction: Instruction, scope: Scope, dataAt: number): Access {
  const modifiers = new Modifiers(instruction, scope, [...SPACES, ...VECTORS, ...HINTS]);
  const { type } = modifiers;
  const elements = scope.elements(operand(instruction, dataAt, scope));
  if (Number(modifiers.one(VECTORS)?.slice(1) ?? 1) !== elements.length) unsupported(instruction, scope);
  return { modifiers, type, elements };
}

function load(instruction: Instruction, scope: Scope): string {
  const { modifiers, type, elements } = accessOf(instruction, scope, 0);
  const address = scope.address(operand(instruction, 1, scope));
  const cpp = valueType(type);
  const bytes = bytesOf(type);
  const loads = elements.map((element, index) => {
    const value = `read<${cpp}>(from + ${index * bytes})`;
    return element.kind === "name" && element.name === "_" ? "" : scope.assign(element, type, value);
  });
  const pointer = `reading_${spaceOf(modifiers)}<${bytes * elements.length}>(t, ${address})`;
  return `{ const u8* from = ${pointer}; ${loads.join(" ")} }`;
}

function store(instruction: Instruction, scope: Scope): string {
  const { modifiers, type, elements } = accessOf(instruction, scope, 1);
  const address = scope.address(operand(instruction, 0, scope));
  const bytes = bytesOf(type);
  const stores = elements.map(
    (element, index) => `write<${valueType(type)}>(to + ${index * bytes}, ${scope.value(element, type)});`,
  );
  const pointer = `writing_${spaceOf(modifiers)}<${bytes * elements.length}>(t, ${address})`;
  return `{ u8* to = ${pointer}; ${stores.join(" ")} }`;
}

/** `cp.async`: a copy to shared memory that is there only after its group was waited for. */
function asyncCopy(instruction: Instruction, scope: Scope): string {
  const modifiers = new Modifiers(instruction, scope, [
    "async",
    "ca",
    "cg",
    "shared",
    "shared::cta",
    "global",
    "commit_group",
    "wait_group",
    "wait_all",
    "L2::64B",
    "L2::128B",
    "L2::256B",
  ]);
  if (!modifiers.has("async")) return unsupported(instruction, scope);
  if (modifiers.has("commit_group")) return "t->runtime->commit_copies(t);";
  if (modifiers.has("wait_all")) return "t->runtime->commit_copies(t); t->runtime->wait_copies(t, 0);";
  if (modifiers.has("wait_group")) {
    return `t->runtime->wait_copies(t, ${scope.bits(operand(instruction, 0, scope), "u32")});`;
  }
  const [to, from] = [0, 1].map((index) => scope.address(operand(instruction, index, scope)));
  const bytes = scope.bits(operand(instruction, 2, scope), "u32");
  const given = instruction.operands[3];
  const read = given === undefined ? bytes : scope.bits(given, "u32");
  return `t->runtime->copy_async(t, ${to}, ${from}, ${bytes}, ${read});`;
}

/** Instructions that change nothing here: blocks run one after the other, and memory has no caches. */
function nothing(): string {
  return ";";
}

export const MEMORY: Family = {
  ld: load,
  ldu: load,
  st: store,
  cp: asyncCopy,
  membar: nothing,
  fence: nothing,
  prefetch: nothing,
  prefetchu: nothing,
};
