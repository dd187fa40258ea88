import type * as tf from "@tensorflow/tfjs-core";

import { isDeviceImagined } from "../imagined.js";
import { type PackedValues, Parameter, type ParameterSet } from "../parameters.js";
import { createRandom } from "../random.js";
import type { Linear } from "./linear.js";

/**
 * What a parameter is for, which decides its first values.
 *
 * - `weight`: a matrix; `residual`: a matrix whose output is added to the residual stream
 * - `embedding`: a table; `bias`; `scale`: a norm's factor (1); `offset`: a norm's `1 + w` (0)
 */
export type Role = "weight" | "residual" | "embedding" | "bias" | "scale" | "offset";

/** Where the first values of a parameter come from: a generator, or a checkpoint. */
export interface ValueSource {
  (name: string, shape: readonly number[], role: Role): Float32Array;
  /** The weight of a {@link Linear} that stays packed and frozen; undefined: it is asked for as float32. */
  readonly packed?: (name: string, shape: readonly number[]) => PackedValues | undefined;
  /** The same for a decoder's table of words and its head. */
  readonly packedTable?: (name: string, shape: readonly number[]) => PackedValues | undefined;
  /** Whether parameters are made without values, see {@link parameterShapes}. */
  readonly shapesOnly?: boolean;
}

const NO_VALUES = new Float32Array();

/**
 * What a model would ask a {@link ValueSource} for, in order, without the memory of its weights.
 *
 * @param make - Builds the model from the source that it is given; it must not compute with the weights.
 * @param visit - Gets each name and shape.
 */
export function parameterShapes(
  make: (values: ValueSource) => { readonly parameters: ParameterSet },
  visit: (name: string, shape: readonly number[]) => void,
): void {
  const record = (name: string, shape: readonly number[]): Float32Array => {
    visit(name, shape);
    return NO_VALUES;
  };
  make(Object.assign(record, { shapesOnly: true })).parameters.dispose();
}

/** Values for a parameter, or null where its source has shapes only. */
export function valuesOf(
  source: ValueSource,
  ...[name, shape, role]: Parameters<ValueSource>
): Float32Array | null {
  const values = source(name, shape, role);
  return source.shapesOnly ? null : values;
}

/** Options of {@link randomValues}. */
export interface RandomValueOptions {
  /** Standard deviation of `weight`; `"fan-in"` = uniform in ±1/√inputs, PyTorch's default. Default 0.02. */
  readonly weight?: number | "fan-in";
  /** Standard deviation of `embedding`. Default 0.02. */
  readonly embedding?: number;
  /** Factor on `residual` matrices: 1/√(2·blocks) in GPT-2 and after. Default 1. */
  readonly residual?: number;
}

/**
 * First values from a counter-based generator keyed by (seed, parameter name): they do not depend on the
 * order in which parameters are made.
 */
export function randomValues(seed: number, options: RandomValueOptions = {}): ValueSource {
  const { weight = 0.02, embedding = 0.02, residual = 1 } = options;
  return (name, shape, role) => {
    const values = new Float32Array(shape.reduce((size, dimension) => size * dimension, 1));
    if (role === "bias" || role === "offset" || isDeviceImagined()) return values;
    if (role === "scale") return values.fill(1);
    const random = createRandom(seed, "initialise", name);
    if (role === "embedding") return random.fillNormal(values, embedding);
    const factor = role === "residual" ? residual : 1;
    if (weight !== "fan-in") return random.fillNormal(values, weight * factor);
    const inputs = shape.slice(1).reduce((size, dimension) => size * dimension, 1);
    const bound = factor / Math.sqrt(inputs);
    return random.fillUniform(values, -bound, bound);
  };
}

/** Adds parameters to a set under a common prefix, and remembers the products that are made of them. */
export class Builder {
  readonly parameters: ParameterSet;
  readonly values: ValueSource;
  readonly prefix: string;
  /** Every product made so far, by its full name; shared by all builders of a model. */
  readonly linears: Map<string, Linear>;
  /** From our name to that of a checkpoint whose modules are called otherwise. */
  readonly rename: (name: string) => string;

  constructor(
    parameters: ParameterSet,
    values: ValueSource,
    {
      prefix = "",
      rename = (name: string) => name,
      linears = new Map(),
    }: Partial<Pick<Builder, "prefix" | "rename" | "linears">> = {},
  ) {
    this.parameters = parameters;
    this.values = values;
    this.prefix = prefix;
    this.linears = linears;
    this.rename = rename;
  }

  /** A builder whose names begin with `name.`. */
  within(name: string): Builder {
    const { parameters, values, prefix, rename, linears } = this;
    return new Builder(parameters, values, { prefix: `${prefix}${name}.`, rename, linears });
  }

  /** Makes the parameter `prefix + name` with the source's values. */
  add(name: string, shape: readonly number[], role: Role): Parameter {
    const full = this.rename(this.prefix + name);
    const values = valuesOf(this.values, full, shape, role);
    return this.parameters.add(new Parameter(full, values, shape));
  }

  /** {@link add} for a parameter that never trains. @param value - Instead of the source's; the parameter takes it over. */
  addConstant(name: string, shape: readonly number[], value?: tf.Tensor): Parameter {
    const full = this.rename(this.prefix + name);
    const size = shape.reduce((product, length) => product * length, 1);
    const values =
      value === undefined ? valuesOf(this.values, full, shape, "embedding") : new Float32Array(size);
    const parameter = this.parameters.add(new Parameter(full, values, shape, { constant: true }));
    if (value !== undefined) parameter.assign(value);
    return parameter;
  }

  /** {@link add} for a matrix that its layer can use packed as well. */
  addMatrix(name: string, shape: readonly number[], role: Role): Parameter {
    return this.#addPacked(this.values.packed, { name, shape, role });
  }

  /** The same for a table of words or a head. */
  addTable(name: string, shape: readonly number[], role: Role): Parameter {
    return this.#addPacked(this.values.packedTable, { name, shape, role });
  }

  #addPacked(
    source: ValueSource["packed"],
    { name, shape, role }: { readonly name: string; readonly shape: readonly number[]; readonly role: Role },
  ): Parameter {
    const full = this.rename(this.prefix + name);
    const packed = source?.(full, shape);
    return packed === undefined
      ? this.add(name, shape, role)
      : this.parameters.add(new Parameter(full, packed, shape));
  }
}
