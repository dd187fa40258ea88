import type { ScalarType } from "../ptx/types.js";

/** Whether a number is written as the bits of a float: `0f3F800000`. */
export function isFloatLiteral(text: string): boolean {
  return /^-?0[fFdD][0-9A-Fa-f]{8}/.test(text);
}

/** A float's bits, in the width of the type. */
export function floatLiteral(text: string, type: ScalarType): string {
  const single = /^0[fF]/.test(text);
  const digits = text.slice(2);
  if (single) return type === "f64" ? `bits_of((double)float_of(0x${digits}u))` : `0x${digits}u`;
  return type === "f32" ? `bits_of((float)double_of(0x${digits}ull))` : `0x${digits}ull`;
}

/** An integer as a 64-bit C++ literal. */
export function integerLiteral(text: string): string {
  const digits = text.replace(/U$/, "");
  return digits.startsWith("-") ? `(-(s64)${digits.slice(1)}ull)` : `${digits}ull`;
}
