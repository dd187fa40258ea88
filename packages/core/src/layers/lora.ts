import * as tf from "@tensorflow/tfjs-core";

import { BasicError } from "../errors.js";
import { type Parameter, ParameterSet } from "../parameters.js";
import { Builder, randomValues, type ValueSource } from "./builder.js";
import { dropout } from "./dropout.js";
import { applyLinear, type Linear, type LinearAdapter } from "./linear.js";
import { type ALL_LINEAR, chooseTargets } from "./targets.js";

/** What {@link attachLora} adds. */
export interface LoraOptions {
  /** r: width of the two thin products. */
  readonly rank: number;
  /** The update is scaled by alpha / rank. */
  readonly alpha: number;
  /** Share of the input that the thin products do not see while training. Default 0. */
  readonly dropout?: number;
  /** Which products: see {@link chooseTargets}. Default `all-linear`. */
  readonly targets?: readonly string[] | typeof ALL_LINEAR;
  /** Scales by alpha / √rank instead (rsLoRA, Kalajdzievski 2023). Default false. */
  readonly rankStabilised?: boolean;
  /** Of the first values and of dropout. Default 0. */
  readonly seed?: number;
  /** First values, of an adapter that is loaded; instead of A uniform in ±1/√I and B zero. */
  readonly values?: ValueSource;
}

/** A model whose products are known by name. */
export interface AdaptableModel {
  readonly linears: ReadonlyMap<string, Linear>;
}

/** `s · B(A(dropout(x)))` beside a product. */
class LowRankUpdate implements LinearAdapter {
  readonly linear: Linear;
  readonly a: Parameter;
  readonly b: Parameter;
  readonly #name: string;
  readonly #owner: Lora;
  /** B as it was made, where that is zero. */
  readonly #zero: tf.Tensor | null;

  constructor(name: string, linear: Linear, owner: Lora, values: ValueSource | undefined) {
    const { rank, seed } = owner.options;
    const builder = new Builder(owner.parameters, values ?? randomValues(seed, { weight: "fan-in" }));
    this.linear = linear;
    this.a = builder.add(`${name}.lora_A.weight`, [rank, linear.inFeatures], "weight");
    // An offset starts at zero: the model computes what it did.
    this.b = builder.add(`${name}.lora_B.weight`, [linear.outFeatures, rank], "offset");
    this.#zero = values === undefined ? this.b.value : null;
    this.#name = name;
    this.#owner = owner;
  }

  get parameters(): readonly Parameter[] {
    return [this.a, this.b];
  }

  delta(x: tf.Tensor2D): tf.Tensor2D | null {
    const { merged, scale, options } = this.#owner;
    if (merged || this.#addsNothing) return null;
    const { dropout: probability, seed } = options;
    const seen = dropout(x, { probability, seed, name: this.#name });
    const thin = tf.mul<tf.Tensor2D>(product(seen, this.a), scale);
    return product(thin, this.b);
  }

  /** `s · B · A`, `[O, I]`. */
  matrix(): tf.Tensor2D {
    const { scale } = this.#owner;
    return tf.tidy(() =>
      tf.mul<tf.Tensor2D>(tf.matMul(this.b.value as tf.Tensor2D, this.a.value as tf.Tensor2D), scale),
    );
  }

  /** Nothing has changed B, and nothing will: stages before the adapter's cost what they did without it. */
  get #addsNothing(): boolean {
    return !this.a.trainable && !this.b.trainable && this.b.value === this.#zero;
  }
}

function product(x: tf.Tensor2D, { value, trainable }: Parameter): tf.Tensor2D {
  return applyLinear(x, { weight: value as tf.Tensor2D, bias: null, trainable });
}

/**
 * Low-rank adapters of one model (LoRA: Hu et al. 2021).
 *
 * ```text
 * y = base(x) + s · B(A(dropout(x)))     s = alpha / rank, or alpha / √rank
 * ```
 *
 * I features in, O features out: A `[r, I]`, B `[O, r]`, base in any storage. Parameters have PEFT's names without its
 * prefix: `model.layers.0.self_attn.q_proj.lora_A.weight`. {@link attachLora} freezes nothing by itself: what trains is
 * each parameter's own `trainable`.
 */
export class Lora {
  readonly parameters = new ParameterSet();
  readonly options: Required<Pick<LoraOptions, "rank" | "alpha" | "dropout" | "rankStabilised" | "seed">>;
  /** s. */
  readonly scale: number;
  readonly #updates: ReadonlyMap<string, LowRankUpdate>;
  #merged = false;

  /** Use {@link attachLora}. */
  constructor(model: AdaptableModel, names: readonly string[], options: LoraOptions) {
    const { rank, alpha, dropout: share = 0, rankStabilised = false, seed = 0 } = options;
    this.options = { rank, alpha, dropout: share, rankStabilised, seed };
    this.scale = rankStabilised ? alpha / Math.sqrt(rank) : alpha / rank;
    this.#updates = new Map(
      names.map((name) => {
        const linear = model.linears.get(name) as Linear;
        return [name, new LowRankUpdate(name, linear, this, options.values)];
      }),
    );
    for (const update of this.#updates.values()) update.linear.adapter = update;
  }

  /** Names of the adapted products, in the model's order. */
  get targets(): readonly string[] {
    return [...this.#updates.keys()];
  }

  /** Whether the base weights hold the update now. */
  get merged(): boolean {
    return this.#merged;
  }

  /**
   * A base weight with its update, for saving: `W + s · B · A`.
   *
   * @param name - Of the base parameter.
   * @param weight - Its value `[O, I]` in float32; not changed.
   * @returns A new tensor; null where the parameter has no update, or holds it already.
   * @throws {@link BasicError} `E_CONFIG` for a packed value: unpack it first.
   */
  mergedWeight(name: string, weight: tf.Tensor): tf.Tensor | null {
    const update = this.#updates.get(name.replace(/\.weight$/, ""));
    if (update === undefined || this.#merged || !name.endsWith(".weight")) return null;
    checkDense(name, weight);
    return tf.tidy(() => tf.add(weight, update.matrix()));
  }

  /**
   * Adds the updates to the base weights: products then cost what they did without an adapter. Training goes on after
   * {@link unmerge} alone.
   *
   * @throws {@link BasicError} `E_CONFIG` where a base weight is packed: nothing is changed then.
   */
  merge(): void {
    if (this.#merged) return;
    for (const { linear } of this.#updates.values()) checkDense(linear.weight.name, linear.weight.value);
    this.#add(1);
    this.#merged = true;
  }

  /** Takes the updates out of the base weights again; they are then what they were but for rounding. */
  unmerge(): void {
    if (!this.#merged) return;
    this.#add(-1);
    this.#merged = false;
  }

  /** Takes the adapters off the model and frees them; merged weights stay merged. */
  detach(): void {
    for (const { linear } of this.#updates.values()) linear.adapter = null;
    this.parameters.dispose();
  }

  #add(sign: 1 | -1): void {
    for (const update of this.#updates.values()) {
      const { weight } = update.linear;
      weight.assign(
        tf.tidy(() =>
          sign === 1 ? tf.add(weight.value, update.matrix()) : tf.sub(weight.value, update.matrix()),
        ),
      );
    }
  }
}

function checkDense(name: string, value: tf.Tensor): void {
  if (value.dtype === "float32" && value.rank === 2) return;
  throw new BasicError(
    "E_CONFIG",
    `LoRA: the weight "${name}" is packed, and packed weights cannot take an update. ` +
      "Save the adapter by itself, or load the model in float32 and merge there.",
  );
}

/**
 * Puts low-rank adapters on the products of a model.
 *
 * @throws {@link BasicError} `E_CONFIG` for a rank, alpha or dropout out of range, a target that chooses nothing, or a
 *   product that has an adapter already.
 */
export function attachLora(model: AdaptableModel, options: LoraOptions): Lora {
  checkOptions(options);
  const names = chooseTargets([...model.linears.keys()], options.targets ?? "all-linear");
  const taken = names.find((name) => model.linears.get(name)?.adapter);
  if (taken !== undefined) {
    throw new BasicError(
      "E_CONFIG",
      `LoRA: "${taken}" has an adapter already. Choose other targets, or detach() the first adapter.`,
    );
  }
  return new Lora(model, names, options);
}

function checkOptions({ rank, alpha, dropout: share = 0 }: LoraOptions): void {
  const problem = (field: string, expected: string, given: number) =>
    new BasicError(
      "E_CONFIG",
      `LoRA: \`${field}\` must be ${expected}, got ${given}. Change it in \`lora\`.`,
    );
  if (!Number.isInteger(rank) || rank < 1) throw problem("rank", "a whole number from 1", rank);
  if (!(Number.isFinite(alpha) && alpha > 0)) throw problem("alpha", "a number above 0", alpha);
  if (!(share >= 0 && share < 1)) throw problem("dropout", "from 0 up to, but not, 1", share);
}
