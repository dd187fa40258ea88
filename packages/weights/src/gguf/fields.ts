import { BasicError } from "@basic-mllm/core";

/** Reads fields of a GGUF header, and remembers which were read. */
export class GgufFields {
  readonly #metadata: ReadonlyMap<string, unknown>;
  readonly #where: string;
  readonly #read = new Set<string>();

  /** @param where - The file, for messages. */
  constructor(metadata: ReadonlyMap<string, unknown>, where: string) {
    this.#metadata = metadata;
    this.#where = where;
  }

  has(name: string): boolean {
    return this.#metadata.has(name);
  }

  /** A finite number. Without a default the field must be there. */
  number(name: string, byDefault?: number): number {
    const value = this.#valueOf(name, byDefault);
    const number = typeof value === "bigint" ? Number(value) : value;
    if (typeof number === "number" && Number.isFinite(number)) return number;
    throw this.unsupported(name, "a number");
  }

  /** A text. Without a default the field must be there. */
  text(name: string, byDefault?: string): string {
    const value = this.#valueOf(name, byDefault);
    if (typeof value === "string") return value;
    throw this.unsupported(name, "a text");
  }

  flag(name: string, byDefault: boolean): boolean {
    const value = this.#valueOf(name, byDefault);
    if (typeof value === "boolean") return value;
    throw this.unsupported(name, "true or false");
  }

  texts(name: string): readonly string[] {
    const value = this.#valueOf(name, undefined);
    if (Array.isArray(value) && value.every((text) => typeof text === "string")) return value;
    throw this.unsupported(name, "a list of texts");
  }

  numbers(name: string): readonly number[] {
    const value = this.#valueOf(name, undefined);
    if (Array.isArray(value) && value.every((number) => typeof number === "number")) return value;
    throw this.unsupported(name, "a list of numbers");
  }

  /** `E_CONFIG` for a field whose value we cannot use. */
  unsupported(name: string, expected: string): BasicError {
    const given = this.#metadata.has(name) ? shown(this.#metadata.get(name)) : "none";
    return new BasicError(
      "E_CONFIG",
      `${this.#where}: the field \`${name}\` must be ${expected}, got ${given}. Make the file again with llama.cpp's converter.`,
    );
  }

  /** Marks fields as known without a use here. */
  ignore(...names: string[]): void {
    for (const name of names) this.#read.add(name);
  }

  /**
   * Ends the reading of the fields that begin with `prefix`.
   *
   * @throws `BasicError` `E_CONFIG` naming the first that nothing has read: it may change the maths.
   */
  finish(prefix: string): void {
    const unknown = [...this.#metadata.keys()].find(
      (name) => name.startsWith(prefix) && !this.#read.has(name),
    );
    if (unknown === undefined) return;
    throw new BasicError(
      "E_CONFIG",
      `${this.#where}: the field \`${unknown}\` (${shown(this.#metadata.get(unknown))}) is not known and may change what the model computes. ` +
        "Models with it are not supported.",
    );
  }

  #valueOf(name: string, byDefault: unknown): unknown {
    this.#read.add(name);
    return this.#metadata.get(name) ?? byDefault;
  }
}

/** Short enough for a message: fields may be whole vocabularies. */
function shown(value: unknown): string {
  const text =
    JSON.stringify(value, (_, inner: unknown) => (typeof inner === "bigint" ? String(inner) : inner)) ?? "";
  return text.length > 60 ? `${text.slice(0, 57)}...` : text;
}
