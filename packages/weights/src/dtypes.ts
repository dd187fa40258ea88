import { BasicError, bfloatOfBits, halfOfBits, halfValues } from "@basic-mllm/core";

/** Bytes per value of every type that a safetensors header may name. */
export const bytesPerValue = {
  BOOL: 1,
  U8: 1,
  I8: 1,
  F8_E4M3: 1,
  F8_E5M2: 1,
  I16: 2,
  U16: 2,
  F16: 2,
  BF16: 2,
  I32: 4,
  U32: 4,
  F32: 4,
  F64: 8,
  I64: 8,
  U64: 8,
} as const satisfies Readonly<Record<string, number>>;

/** A value type of safetensors. */
export type DType = keyof typeof bytesPerValue;

/** Types that we can write. */
export type FloatDType = "F32" | "F16" | "BF16";

/** Whether `name` is a type of the format. */
export function isDType(name: unknown): name is DType {
  return typeof name === "string" && Object.hasOwn(bytesPerValue, name);
}

/**
 * Decodes F64, F32, F16 and BF16 bytes; F64 is rounded to F32.
 *
 * @param where - File and tensor, for the message.
 * @throws `BasicError` `E_WEIGHTS_FORMAT` for another type.
 */
export function decodeFloats(bytes: Uint8Array, dtype: DType, where: string): Float32Array {
  if (dtype === "F32") return new Float32Array(aligned(bytes));
  const values = new Float32Array(bytes.length / bytesPerValue[dtype]);
  decodeInto(values, bytes, { dtype, where });
  return values;
}

/** What {@link decodeInto} decodes. */
export interface EncodedFloats {
  readonly dtype: DType;
  /** File and tensor, for the message. */
  readonly where: string;
}

/**
 * {@link decodeFloats} into memory that is there already.
 *
 * @param values - As many as `bytes` hold.
 */
export function decodeInto(values: Float32Array, bytes: Uint8Array, { dtype, where }: EncodedFloats): void {
  switch (dtype) {
    case "F32":
      values.set(new Float32Array(aligned(bytes)));
      return;
    case "F64":
      values.set(new Float64Array(aligned(bytes)));
      return;
    case "BF16": {
      const bits = new Uint32Array(values.buffer, values.byteOffset, values.length);
      new Uint16Array(aligned(bytes)).forEach((half, i) => {
        bits[i] = half << 16;
      });
      return;
    }
    case "F16": {
      const table = halfValues();
      new Uint16Array(aligned(bytes)).forEach((half, i) => {
        values[i] = table[half] as number;
      });
      return;
    }
    default:
      throw new BasicError(
        "E_WEIGHTS_FORMAT",
        `${where} has type ${dtype}, expected F32, F16, BF16 or F64. Convert the file to one of them.`,
      );
  }
}

/**
 * Decodes I32, I64 and U8 bytes.
 *
 * @throws `BasicError` `E_WEIGHTS_FORMAT` for another type, or for values beyond 32 bits.
 */
export function decodeIntegers(bytes: Uint8Array, dtype: DType, where: string): Int32Array {
  if (dtype === "I32") return new Int32Array(aligned(bytes));
  if (dtype === "U8" || dtype === "BOOL") return Int32Array.from(bytes);
  if (dtype === "I64") {
    return Int32Array.from(new BigInt64Array(aligned(bytes)), (value) => {
      if (BigInt.asIntN(32, value) === value) return Number(value);
      throw new BasicError(
        "E_WEIGHTS_FORMAT",
        `${where} holds ${value}, which does not fit into 32 bits. Is the file damaged?`,
      );
    });
  }
  throw new BasicError(
    "E_WEIGHTS_FORMAT",
    `${where} has type ${dtype}, expected I32, I64 or U8. Convert the file to one of them.`,
  );
}

/** Encodes values as F32, F16 or BF16, rounded to nearest even. */
export function encodeFloats(values: Float32Array, dtype: FloatDType): Uint8Array {
  if (dtype === "F32") return new Uint8Array(values.buffer, values.byteOffset, values.byteLength);
  const bits = new Uint32Array(values.buffer, values.byteOffset, values.length);
  const encode = dtype === "F16" ? halfOfBits : bfloatOfBits;
  const halves = new Uint16Array(bits.length);
  for (let i = 0; i < bits.length; i++) halves[i] = encode(bits[i] as number);
  return new Uint8Array(halves.buffer);
}

/** The bytes in a buffer of their own, so that wider views may start at 0. Little-endian hosts only. */
export function aligned(bytes: Uint8Array): ArrayBuffer {
  if (bytes.byteOffset === 0 && bytes.length === bytes.buffer.byteLength) return bytes.buffer as ArrayBuffer;
  return bytes.slice().buffer as ArrayBuffer;
}
