import * as tf from "@tensorflow/tfjs-core";

import { BasicError } from "./errors.js";
import { didYouMean } from "./nearest.js";

/**
 * One weight of a model, under its name in the checkpoint.
 *
 * It owns its buffer: values are copied in, never shared, because backends update parameters in place.
 */
export class Parameter {
  readonly name: string;
  /** Whether the optimizer changes it now. Layers pick the frozen kernels where it is false. */
  trainable = true;
  #value: tf.Tensor;

  /** @param values - Row-major values, copied. */
  constructor(name: string, values: Float32Array, shape: readonly number[]) {
    this.name = name;
    this.#value = tf.keep(tf.tensor(values.slice(), [...shape], "float32"));
  }

  /** The current value. Read it again after each optimizer step: {@link assign} may replace the tensor. */
  get value(): tf.Tensor {
    return this.#value;
  }

  get shape(): readonly number[] {
    return this.#value.shape;
  }

  get size(): number {
    return this.#value.size;
  }

  /** Memory of the value. float32 values and packed int32 words take four bytes each. */
  get bytes(): number {
    return 4 * this.#value.size;
  }

  /** Takes ownership of `value` and disposes the old tensor. */
  assign(value: tf.Tensor): void {
    if (value === this.#value) return;
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

  /** Frees the value. */
  dispose(): void {
    this.#value.dispose();
  }
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

  /** Freezes or unfreezes all parameters. */
  setTrainable(trainable: boolean): void {
    for (const parameter of this) parameter.trainable = trainable;
  }

  /** Frees all values. */
  dispose(): void {
    for (const parameter of this) parameter.dispose();
  }
}
