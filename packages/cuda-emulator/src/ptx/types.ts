/** Types of PTX registers, memory and operands. */
export type ScalarType =
  | "pred"
  | `${"b" | "u" | "s"}${8 | 16 | 32 | 64}`
  | "f16"
  | "bf16"
  | "f16x2"
  | "bf16x2"
  | "f32"
  | "tf32"
  | "f64";

const BYTES: Readonly<Record<ScalarType, number>> = {
  pred: 1,
  b8: 1,
  u8: 1,
  s8: 1,
  b16: 2,
  u16: 2,
  s16: 2,
  f16: 2,
  bf16: 2,
  b32: 4,
  u32: 4,
  s32: 4,
  f32: 4,
  tf32: 4,
  f16x2: 4,
  bf16x2: 4,
  b64: 8,
  u64: 8,
  s64: 8,
  f64: 8,
};

/** Whether a modifier of an instruction names a type. */
export function isType(text: string): text is ScalarType {
  return Object.hasOwn(BYTES, text);
}

/** Bytes of a type. */
export function bytesOf(type: ScalarType): number {
  return BYTES[type];
}

/** Whether a type is one of 16-bit floats, alone or in pairs. */
export function isHalf(type: ScalarType): boolean {
  return type === "f16" || type === "bf16" || type === "f16x2" || type === "bf16x2";
}

/** Whether a type is a signed integer. */
export function isSigned(type: ScalarType): boolean {
  return type.startsWith("s");
}

/** Whether a type is a float of any width. */
export function isFloat(type: ScalarType): boolean {
  return type === "f32" || type === "f64" || type === "tf32" || isHalf(type);
}

/** The unsigned C++ type of a type's bits. */
export function bitsType(type: ScalarType): string {
  return type === "pred" ? "bool" : `u${bytesOf(type) * 8}`;
}

/** The C++ type that a type computes in. Pairs and halves stay bits. */
export function valueType(type: ScalarType): string {
  if (type === "f32") return "float";
  if (type === "f64") return "double";
  return isSigned(type) ? type : bitsType(type);
}

/** The C++ type of a register. */
export function registerType(type: ScalarType): string {
  return type === "f32" || type === "f64" ? valueType(type) : bitsType(type);
}
