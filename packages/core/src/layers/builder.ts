import { Parameter, type ParameterSet } from "../parameters.js";
import { createRandom } from "../random.js";

/**
 * What a parameter is for, which decides its first values.
 *
 * - `weight`: a matrix; `residual`: a matrix whose output is added to the residual stream
 * - `embedding`: a table; `bias`; `scale`: a norm's factor (1); `offset`: a norm's `1 + w` (0)
 */
export type Role = "weight" | "residual" | "embedding" | "bias" | "scale" | "offset";

/** Where the first values of a parameter come from: a generator, or a checkpoint. */
export type ValueSource = (name: string, shape: readonly number[], role: Role) => Float32Array;

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
    if (role === "bias" || role === "offset") return values;
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

/** Adds parameters to a set under a common prefix. */
export class Builder {
  readonly parameters: ParameterSet;
  readonly values: ValueSource;
  readonly prefix: string;
  /** From our name to that of a checkpoint whose modules are called otherwise. */
  readonly rename: (name: string) => string;

  constructor(
    parameters: ParameterSet,
    values: ValueSource,
    { prefix = "", rename = (name: string) => name }: Partial<Pick<Builder, "prefix" | "rename">> = {},
  ) {
    this.parameters = parameters;
    this.values = values;
    this.prefix = prefix;
    this.rename = rename;
  }

  /** A builder whose names begin with `name.`. */
  within(name: string): Builder {
    const { parameters, values, prefix, rename } = this;
    return new Builder(parameters, values, { prefix: `${prefix}${name}.`, rename });
  }

  /** Makes the parameter `prefix + name` with the source's values. */
  add(name: string, shape: readonly number[], role: Role): Parameter {
    const full = this.rename(this.prefix + name);
    return this.parameters.add(new Parameter(full, this.values(full, shape, role), shape));
  }
}
