import type { Instruction } from "../ptx/syntax.js";
import { isFloat, type ScalarType, valueType } from "../ptx/types.js";
import { type Family, Modifiers, operand, unsupported } from "./emitter.js";
import type { Scope } from "./scope.js";

/** `cvt`: between integers, floats and 16-bit floats. */

const TO_INTEGER = { rni: "nearest", rzi: "toward_zero", rmi: "down", rpi: "up" } as const;
const TO_FLOAT = { rz: "toward_zero", rm: "down", rp: "up" } as const;
const KNOWN = [
  ...Object.keys(TO_INTEGER),
  "rn",
  "rna",
  ...Object.keys(TO_FLOAT),
  "ftz",
  "sat",
  "relu",
  "satfinite",
];

function convert(instruction: Instruction, scope: Scope): string {
  const modifiers = new Modifiers(instruction, scope, KNOWN);
  const [to, from] = modifiers.types;
  if (to === undefined || from === undefined || modifiers.has("satfinite"))
    return unsupported(instruction, scope);
  if (to.endsWith("x2")) return toPair(instruction, scope, to);
  if (from.endsWith("x2")) return unsupported(instruction, scope);
  const destination = operand(instruction, 0, scope);
  const source = sourceOf(instruction, scope, from, modifiers.has("ftz"));
  if (to === "tf32") return scope.assign(destination, "b32", `tf32_of(${source})`);
  const value = isFloat(to)
    ? (toFloat(modifiers, { to, from, source }) ?? unsupported(instruction, scope))
    : toInteger(modifiers, { to, from, source });
  return scope.assign(destination, to === "f16" || to === "bf16" ? "b16" : to, value);
}

function sourceOf(instruction: Instruction, scope: Scope, from: ScalarType, flush: boolean): string {
  const source = operand(instruction, 1, scope);
  if (from === "f16" || from === "bf16") return `${from}_value(${scope.bits(source, from)})`;
  const value = scope.value(source, from);
  return flush && from === "f32" ? `flushed(${value})` : value;
}

interface Conversion {
  readonly to: ScalarType;
  readonly from: ScalarType;
  readonly source: string;
}

function toInteger(modifiers: Modifiers, { to, from, source }: Conversion): string {
  if (isFloat(from)) {
    const rounding = modifiers.one(["rni", "rzi", "rmi", "rpi"] as const) ?? "rzi";
    return `integer_of<${valueType(to)}>(rounded_${TO_INTEGER[rounding]}(${source}))`;
  }
  // With .sat a value that does not fit becomes the nearest one that does.
  return modifiers.has("sat") ? `clamped<${valueType(to)}>(${source})` : `(${valueType(to)})${source}`;
}

function toFloat(modifiers: Modifiers, { to, from, source }: Conversion): string | undefined {
  const integral = modifiers.one(["rni", "rzi", "rmi", "rpi"] as const);
  const directed = modifiers.one(["rz", "rm", "rp"] as const);
  let value = integral === undefined ? source : `rounded_${TO_INTEGER[integral]}(${source})`;
  if (modifiers.has("sat")) value = `saturated(${value})`;
  if (modifiers.has("relu")) value = `rectified(${value})`;
  const narrows = to === "f16" || to === "bf16";
  if (directed !== undefined) {
    // Doubles hold 32-bit integers and floats exactly, so the direction is known.
    if (to === "f32" && exactInDouble(from)) return `float_${TO_FLOAT[directed]}((double)${value})`;
    if (to === "bf16" && directed === "rz") return `bf16_toward_zero(${value})`;
    return undefined;
  }
  if (narrows) return `${to}_of(${value})`;
  return modifiers.has("ftz") && to === "f32" ? `flushed((float)${value})` : `(${valueType(to)})${value}`;
}

function exactInDouble(type: ScalarType): boolean {
  return type !== "u64" && type !== "s64";
}

/** `cvt.rn.bf16x2.f32 d, high, low`. */
function toPair(instruction: Instruction, scope: Scope, to: ScalarType): string {
  const modifiers = new Modifiers(instruction, scope, ["rn", "rz", "relu"]);
  if (modifiers.types[1] !== "f32") return unsupported(instruction, scope);
  const element = to.slice(0, -2);
  if (modifiers.has("rz") && element !== "bf16") return unsupported(instruction, scope);
  const round = modifiers.has("rz") ? "bf16_toward_zero" : `${element}_of`;
  const [high, low] = [1, 2].map((index) => {
    const value = scope.value(operand(instruction, index, scope), "f32");
    return `${round}(${modifiers.has("relu") ? `rectified(${value})` : value})`;
  });
  return scope.assign(operand(instruction, 0, scope), "b32", `(u32)${high} << 16 | (u32)${low}`);
}

/** `mov`: registers, addresses, and vectors that are taken apart or put together. */
function move(instruction: Instruction, scope: Scope): string {
  const { type } = new Modifiers(instruction, scope, []);
  const destination = operand(instruction, 0, scope);
  const source = operand(instruction, 1, scope);
  if (destination.kind === "vector") {
    const part = partOf(type, destination.elements.length) ?? unsupported(instruction, scope);
    const width = Number(part.slice(1));
    const parts = destination.elements.map((element, index) =>
      scope.assign(element, part, `(${valueType(part)})(whole >> ${index * width})`),
    );
    return `{ ${valueType(type)} whole = ${scope.bits(source, type)}; ${parts.join(" ")} }`;
  }
  if (source.kind === "vector") {
    const part = partOf(type, source.elements.length) ?? unsupported(instruction, scope);
    const width = Number(part.slice(1));
    const terms = source.elements.map(
      (element, index) => `(${valueType(type)})${scope.bits(element, part)} << ${index * width}`,
    );
    return scope.assign(destination, type, terms.join(" | "));
  }
  return scope.assign(destination, type, scope.value(source, type));
}

function partOf(type: ScalarType, count: number): ScalarType | undefined {
  const width = Number(type.slice(1)) / count;
  return width === 8 || width === 16 || width === 32 ? `b${width}` : undefined;
}

/** `cvta`: shared addresses are offsets; everything else is where it is in memory. */
function convertAddress(instruction: Instruction, scope: Scope): string {
  const modifiers = new Modifiers(instruction, scope, [
    "to",
    "global",
    "shared",
    "shared::cta",
    "local",
    "const",
    "param",
  ]);
  const source = scope.bits(operand(instruction, 1, scope), "u64");
  const destination = operand(instruction, 0, scope);
  const shared = modifiers.has("shared") || modifiers.has("shared::cta");
  const base = shared ? ` ${modifiers.has("to") ? "-" : "+"} (u64)t->shared` : "";
  return scope.assign(destination, "u64", source + base);
}

/** `isspacep.shared p, address`. */
function isInSpace(instruction: Instruction, scope: Scope): string {
  const modifiers = new Modifiers(instruction, scope, ["global", "shared", "shared::cta", "local"]);
  const source = scope.bits(operand(instruction, 1, scope), "u64");
  const space = modifiers.one(["global", "local"] as const) ?? "shared";
  return scope.assign(operand(instruction, 0, scope), "pred", `is_${space}(t, ${source})`);
}

export const CONVERT: Family = {
  cvt: convert,
  mov: move,
  cvta: convertAddress,
  isspacep: isInSpace,
};
