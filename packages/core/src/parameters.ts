import * as tf from "@tensorflow/tfjs-core";

import { BasicError } from "./errors.js";
import { isDeviceImagined } from "./imagined.js";
import { type PackedStorage, type Storage, unpack, wordCount } from "./kernels/quantised.js";
import { didYouMean } from "./nearest.js";

/** A matrix whose rows stay packed: for weights that never train. */
export interface PackedValues {
  readonly storage: PackedStorage;
  /** Little-endian bytes of the packed rows as int32 words, see {@link frozenLinear}. */
  readonly words: Int32Array;
}

/**
 * One weight of a model, under its name in the checkpoint.
 *
 * It owns its buffer: values are copied in, never shared, because backends update parameters in place.
 */
export class Parameter {
  readonly name: string;
  /** Whether it never trains, whatever a stage names: a copy of something that the part reads. */
  readonly constant: boolean;
  /** `f32`, or how the packed words of {@link value} are stored. */
  readonly storage: Storage;
  #shape: readonly number[];
  #trainable: boolean;
  #value: tf.Tensor;

  /** @param values - Row-major values, copied; packed ones are frozen for good. null: none, see {@link parameterShapes}. */
  constructor(
    name: string,
    values: Float32Array | PackedValues | null,
    shape: readonly number[],
    { constant = false }: { readonly constant?: boolean } = {},
  ) {
    const isPacked = values !== null && !(values instanceof Float32Array);
    this.name = name;
    this.#shape = [...shape];
    this.constant = constant;
    this.storage = isPacked ? values.storage : "f32";
    this.#trainable = !isPacked && !constant;
    if (isPacked) checkWords(name, values, this.size);
    this.#value = tf.keep(firstValue(values, shape));
  }

  /** Of the values, whatever the storage. {@link replaceRows} changes its first size. */
  get shape(): readonly number[] {
    return this.#shape;
  }

  /** Whether the optimizer changes it now. Layers pick the frozen kernels where it is false. */
  get trainable(): boolean {
    return this.#trainable;
  }

  /** @throws BasicError `E_CONFIG` where a packed weight or a constant should train. */
  set trainable(trainable: boolean) {
    if (trainable) this.requireTrainable();
    this.#trainable = trainable;
  }

  /** @throws BasicError `E_CONFIG` for a packed weight or a constant. */
  requireTrainable(): void {
    if (this.constant) {
      throw new BasicError(
        "E_CONFIG",
        `Parameter "${this.name}" is a constant of its part and cannot train. Leave it out of what trains.`,
      );
    }
    if (this.storage !== "f32") {
      throw new BasicError(
        "E_CONFIG",
        `Parameter "${this.name}" is stored as ${this.storage} and cannot train. ` +
          'Load the model with `storage: "f32"`, or freeze this part and train an adapter on it.',
      );
    }
  }

  /**
   * The current value: float32 of {@link shape}, or int32 words where {@link storage} is packed. Read it again after each
   * optimizer step: {@link assign} may replace the tensor.
   */
  get value(): tf.Tensor {
    return this.#value;
  }

  /** Number of values. */
  get size(): number {
    return this.shape.reduce((size, dimension) => size * dimension, 1);
  }

  /** The values in float32, row-major, whatever the storage. */
  async floats(): Promise<Float32Array> {
    if (this.storage === "f32") return this.#value.data<"float32">();
    return unpack(this.storage, await this.#value.data<"int32">(), this.size);
  }

  /** Memory of the value. float32 values and packed int32 words take four bytes each. */
  get bytes(): number {
    return 4 * this.#value.size;
  }

  /** Takes ownership of `value` and disposes the old tensor. */
  assign(value: tf.Tensor): void {
    if (value === this.#value) return;
    if (this.storage !== "f32") {
      throw new BasicError(
        "E_CONFIG",
        `Parameter "${this.name}" is stored as ${this.storage} and cannot be assigned. Load the model with \`storage: "f32"\`.`,
      );
    }
    if (value.shape.join() !== this.#value.shape.join()) {
      throw new BasicError(
        "E_SHAPE",
        `Parameter "${this.name}" has shape [${this.#value.shape}], but a value of shape [${value.shape}] was assigned. ` +
          "Reshape the value, or build the model with the sizes of these weights.",
      );
    }
    this.#value.dispose();
    this.#value = tf.keep(value);
  }

  /** {@link assign} for a value that has another number of rows. Moments of an optimizer do not follow. */
  replaceRows(value: tf.Tensor): void {
    if (value.shape.slice(1).join() === this.shape.slice(1).join() && this.storage === "f32") {
      this.#value.dispose();
      this.#value = tf.keep(value);
      this.#shape = [...value.shape];
      return;
    }
    this.assign(value);
  }

  /** Frees the value. */
  dispose(): void {
    this.#value.dispose();
  }
}

function firstValue(values: Float32Array | PackedValues | null, shape: readonly number[]): tf.Tensor {
  if (values === null) return tf.tensor1d([]);
  const own = <T extends Float32Array | Int32Array>(array: T) => (isDeviceImagined() ? array : array.slice());
  if (values instanceof Float32Array) return tf.tensor(own(values), [...shape], "float32");
  return tf.tensor1d(own(values.words), "int32");
}

function checkWords(name: string, { storage, words }: PackedValues, size: number): void {
  const expected = wordCount(storage, size);
  if (words.length === expected) return;
  throw new BasicError(
    "E_SHAPE",
    `Parameter "${name}": ${size} values in ${storage} take ${expected} words, got ${words.length}. Pack the values with its pack function.`,
  );
}

/** The weights of one model part, in creation order. */
export class ParameterSet {
  readonly #byName = new Map<string, Parameter>();

  /** @returns The parameter. @throws BasicError `E_NAME_DUPLICATE`. */
  add(parameter: Parameter): Parameter {
    if (this.#byName.has(parameter.name)) {
      throw new BasicError(
        "E_NAME_DUPLICATE",
        `Parameter "${parameter.name}" exists already. Give each parameter of a set a name of its own.`,
      );
    }
    this.#byName.set(parameter.name, parameter);
    return parameter;
  }

  /** @throws BasicError `E_WEIGHTS_MISSING` where there is none of that name. */
  get(name: string): Parameter {
    const parameter = this.#byName.get(name);
    if (parameter === undefined) {
      const known = [...this.#byName.keys()];
      throw new BasicError(
        "E_WEIGHTS_MISSING",
        `There is no parameter "${name}" among ${known.length}.${didYouMean(name, known)} ` +
          "Iterate over the set for all names, or ask with has().",
      );
    }
    return parameter;
  }

  /** Whether there is a parameter of that name. */
  has(name: string): boolean {
    return this.#byName.has(name);
  }

  /** In creation order. */
  [Symbol.iterator](): IterableIterator<Parameter> {
    return this.#byName.values();
  }

  get count(): number {
    return this.#byName.size;
  }

  /** Number of values of all parameters. */
  get size(): number {
    return [...this].reduce((sum, parameter) => sum + parameter.size, 0);
  }

  /** Memory of all values. */
  get bytes(): number {
    return [...this].reduce((sum, parameter) => sum + parameter.bytes, 0);
  }

  /** Freezes or unfreezes all parameters; constants stay frozen. */
  setTrainable(trainable: boolean): void {
    for (const parameter of this) parameter.trainable = trainable && !parameter.constant;
  }

  /** Frees all values. */
  dispose(): void {
    for (const parameter of this) parameter.dispose();
  }
}
