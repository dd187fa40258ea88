/** The value of a field of a GGUF header, with the type that it is stored as. */
export type GgufValue =
  | { readonly type: "uint32" | "int32" | "float32"; readonly value: number }
  | { readonly type: "bool"; readonly value: boolean }
  | { readonly type: "string"; readonly value: string }
  | { readonly type: "int32s" | "float32s"; readonly value: readonly number[] }
  | { readonly type: "strings"; readonly value: readonly string[] };

/** Fields of a header by name, in the order of the file. */
export type GgufFieldValues = Readonly<Record<string, GgufValue>>;

export const uint32 = (value: number): GgufValue => ({ type: "uint32", value });
export const float32 = (value: number): GgufValue => ({ type: "float32", value });
export const bool = (value: boolean): GgufValue => ({ type: "bool", value });
export const string = (value: string): GgufValue => ({ type: "string", value });
export const int32s = (value: readonly number[]): GgufValue => ({ type: "int32s", value });
export const float32s = (value: readonly number[]): GgufValue => ({ type: "float32s", value });
export const strings = (value: readonly string[]): GgufValue => ({ type: "strings", value });

/** The format's numbers of value types. */
const ids = { uint32: 4, int32: 5, float32: 6, bool: 7, string: 8, array: 9 } as const;

/** Little-endian bytes of a header. */
export class HeaderBytes {
  #bytes = new Uint8Array(1 << 16);
  #size = 0;

  /** What was written. */
  get bytes(): Uint8Array {
    return this.#bytes.subarray(0, this.#size);
  }

  uint32(value: number): void {
    this.#view(4).setUint32(0, value, true);
  }

  uint64(value: number): void {
    this.#view(8).setBigUint64(0, BigInt(value), true);
  }

  string(text: string): void {
    const encoded = new TextEncoder().encode(text);
    this.uint64(encoded.length);
    this.#room(encoded.length).set(encoded);
  }

  /** The number of a value's type, then the value. */
  value(value: GgufValue): void {
    switch (value.type) {
      case "int32s":
        this.#array("int32", value.value);
        return;
      case "float32s":
        this.#array("float32", value.value);
        return;
      case "strings":
        this.#array("string", value.value);
        return;
      default:
        this.uint32(ids[value.type]);
        this.#scalar(value.type, value.value);
    }
  }

  /** Zeros up to a multiple of `alignment`. */
  align(alignment: number): void {
    this.#room((alignment - (this.#size % alignment)) % alignment);
  }

  #array(type: "int32" | "float32" | "string", values: readonly (number | string)[]): void {
    this.uint32(ids.array);
    this.uint32(ids[type]);
    this.uint64(values.length);
    for (const value of values) this.#scalar(type, value);
  }

  #scalar(type: Exclude<keyof typeof ids, "array">, value: number | string | boolean): void {
    if (type === "string") this.string(String(value));
    else if (type === "bool") this.#view(1).setUint8(0, value === true ? 1 : 0);
    else if (type === "float32") this.#view(4).setFloat32(0, Number(value), true);
    else if (type === "int32") this.#view(4).setInt32(0, Number(value), true);
    else this.uint32(Number(value));
  }

  #view(size: number): DataView {
    const room = this.#room(size);
    return new DataView(room.buffer, room.byteOffset, size);
  }

  #room(size: number): Uint8Array {
    const start = this.#size;
    this.#size += size;
    if (this.#size > this.#bytes.length) {
      const larger = new Uint8Array(2 * this.#size);
      larger.set(this.#bytes);
      this.#bytes = larger;
    }
    return this.#bytes.subarray(start, this.#size);
  }
}
