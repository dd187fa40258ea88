import { readFileSync } from "node:fs";
import { join } from "node:path";

import { Safetensors } from "@basic-mllm/weights";
import * as tf from "@tensorflow/tfjs-core";

/** A case as `index.json` lists it. */
export interface CaseRecord {
  readonly name: string;
  readonly file?: string;
  readonly tensors?: Readonly<Record<string, readonly [dtype: string, ...shape: number[]]>>;
  readonly tol?: Readonly<Record<string, number>>;
  readonly [field: string]: unknown;
}

/** What became of a case. */
export interface CaseResult {
  /** Largest error divided by its tolerance. */
  readonly worst: number;
  /** Empty where the case passed. */
  readonly problems: readonly string[];
}

/** Fields that every case may have; a family names the others it understands. */
const COMMON_FIELDS = ["name", "file", "tensors", "noise", "tol", "note", "kind", "op", "folder"];

/** Tensors that a run must be compared with. */
const EXPECTED = /^(out|grad|final)\./;

/** One case: its tensors, and the record of how close we come. */
export class GoldenCase {
  readonly record: CaseRecord;
  /** Folder of the family. */
  readonly folder: string;
  readonly #file: Safetensors;
  readonly #toleranceFactor: number;
  readonly #problems: string[] = [];
  readonly #compared = new Set<string>();
  readonly #notChecked: RegExp[] = [];
  #worst = 0;

  constructor(folder: string, record: CaseRecord, toleranceFactor = 1) {
    this.folder = folder;
    this.record = record;
    this.#toleranceFactor = toleranceFactor;
    this.#file = new Safetensors(
      new Uint8Array(readFileSync(join(folder, record.file ?? `${record.name}.safetensors`))),
    );
  }

  get name(): string {
    return this.record.name;
  }

  get tensorNames(): readonly string[] {
    return this.#file.names;
  }

  has(tensor: string): boolean {
    return this.#file.has(tensor);
  }

  shape(tensor: string): readonly number[] {
    return this.#file.entry(tensor).shape;
  }

  floats(tensor: string): Float32Array {
    return this.#file.entry(tensor).dtype === "F32"
      ? this.#file.floats(tensor)
      : Float32Array.from(this.#file.integers(tensor));
  }

  integers(tensor: string): Int32Array {
    return this.#file.integers(tensor);
  }

  /** A float32 tensor on the device. */
  tensor(name: string): tf.Tensor {
    return tf.tensor(this.floats(name), [...this.shape(name)], "float32");
  }

  /** Throws where the case has a field that the family does not know: it must not be ignored. */
  allowFields(...names: readonly string[]): void {
    const unknown = Object.keys(this.record).filter((name) => ![...COMMON_FIELDS, ...names].includes(name));
    if (unknown.length > 0) throw new Error(`unknown field ${unknown.join(", ")}`);
  }

  /** An object field with known keys only. */
  options<Options extends object>(field: string, known: readonly (keyof Options & string)[]): Options {
    const value = (this.record[field] ?? {}) as Record<string, unknown>;
    const unknown = Object.keys(value).filter((key) => !(known as readonly string[]).includes(key));
    if (unknown.length > 0) throw new Error(`unknown option ${unknown.join(", ")} in ${field}`);
    return value as Options;
  }

  /** Compares values with the expected tensor of that name, to the tolerance of that name (or of `like`). */
  compare(
    name: string,
    actual: ArrayLike<number>,
    options: {
      readonly expected?: ArrayLike<number>;
      readonly ignore?: (index: number) => boolean;
      readonly like?: string;
    } = {},
  ): void {
    this.#compared.add(name);
    const expected = options.expected ?? this.floats(name);
    const tolerance = this.#tolerance(options.like ?? name);
    if (tolerance === undefined) {
      this.#problems.push(`${name}: the case gives no tolerance`);
      return;
    }
    if (actual.length !== expected.length) {
      this.#problems.push(`${name}: ${actual.length} values, expected ${expected.length}`);
      return;
    }
    const error = largestError(actual, expected, options.ignore);
    const ratio = error === 0 ? 0 : error / tolerance;
    if (!(ratio <= 1)) {
      this.#problems.push(
        `${name}: error ${error.toExponential(2)}, tolerance ${tolerance.toExponential(2)}`,
      );
    }
    this.#worst = Math.max(this.#worst, Number.isFinite(ratio) ? ratio : Number.MAX_VALUE);
  }

  /** Of a name, or of all names that begin like it. */
  #tolerance(name: string): number | undefined {
    const { tol } = this.record;
    const recorded = tol?.[name] ?? tol?.[`${name.split(".")[0]}.*`];
    return recorded === undefined ? undefined : recorded * this.#toleranceFactor;
  }

  /** {@link compare} of a tensor on the device. */
  async compareTensor(
    name: string,
    actual: tf.Tensor,
    options: { readonly ignore?: (index: number) => boolean } = {},
  ): Promise<void> {
    this.compare(name, await actual.data(), options);
  }

  /** Compares integers, for which the index gives no tolerance. */
  compareExactly(name: string, actual: ArrayLike<number>): void {
    this.#compared.add(name);
    const expected = this.integers(name);
    const first = expected.findIndex((value, i) => value !== actual[i]);
    if (actual.length === expected.length && first < 0) return;
    this.#worst = Number.MAX_VALUE;
    this.#problems.push(`${name}: [${Array.from(actual).join(", ")}], expected [${expected.join(", ")}]`);
  }

  /** Expected tensors that we do not compute by design; the caller says why. */
  notChecked(names: RegExp): void {
    this.#notChecked.push(names);
  }

  /** The result; expected tensors that nothing was compared with are problems too. */
  finish(): CaseResult {
    const forgotten = this.tensorNames.filter(
      (name) =>
        EXPECTED.test(name) &&
        !this.#compared.has(name) &&
        !this.#notChecked.some((names) => names.test(name)),
    );
    const problems = forgotten.map((name) => `${name}: nothing was compared with it`);
    return { worst: this.#worst, problems: [...this.#problems, ...problems] };
  }
}

/** Largest |actual − expected|; infinite where either is not a number. */
function largestError(
  actual: ArrayLike<number>,
  expected: ArrayLike<number>,
  ignore: (index: number) => boolean = () => false,
): number {
  let largest = 0;
  for (let i = 0; i < expected.length; i++) {
    const error = Math.abs((actual[i] as number) - (expected[i] as number));
    if (ignore(i)) {
      if (!Number.isFinite(actual[i])) return Number.POSITIVE_INFINITY;
    } else if (!(error <= largest)) {
      if (Number.isNaN(error)) return Number.POSITIVE_INFINITY;
      largest = error;
    }
  }
  return largest;
}
